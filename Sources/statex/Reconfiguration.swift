import StatexConfiguration
import StatexHandOff
import StatexSchedulerCore
import Synchronization

/// Reads the configuration again when the operator says so (SIGHUP), and gives a running scheduler what
/// it can take over. A configuration that cannot be read changes nothing.
final class Reconfiguration: Sendable {
    private let sources: ConfigurationSources
    private let current: Mutex<LoadedConfiguration>
    private let keys: KeyReload?
    private let handOff: HandOff

    init(_ sources: ConfigurationSources, current: LoadedConfiguration, keys: KeyReload?, handOff: HandOff) {
        self.sources = sources
        self.current = Mutex(current)
        self.keys = keys
        self.handOff = handOff
        keys?.watch { [self] in policies }
    }

    private var policies: Policies { Policies(current.withLock { $0.configuration }) }

    func readAgain() {
        defer { keys?.readAgain(policies) }
        do throws(ConfigurationError) {
            take(over: try .load(sources))
        } catch {
            complain("the configuration stays as it was, for the new one cannot be used:\n\(error)")
            handOff.configurations.put(.refused(error.description))
        }
    }

    private func take(over loaded: LoadedConfiguration) {
        let changes = current.withLock { current in
            defer { current = loaded }
            return loaded.changes(since: current)
        }
        let (live, later) = (
            changes.filter { Configuration.isLive($0.key) }, changes.filter { !Configuration.isLive($0.key) }
        )
        if !later.isEmpty {
            complain("from the next start on: \(later.map(\.description).joined(separator: "; "))")
        }
        let text = live.map(\.description).joined(separator: "; ")
        complain(live.isEmpty ? "configuration read: nothing to change while running" : "configuration: \(text)", .info)
        guard !live.isEmpty else { return handOff.configurations.put(.unchanged) }
        handOff.configurations.put(
            .changed(
                Policies(loaded.configuration), by: "configuration \(loaded.file ?? "of the environment")",
                changes: text))
    }
}
