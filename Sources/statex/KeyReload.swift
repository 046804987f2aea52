import Glibc
import StatexBroker
import StatexConfiguration
import StatexHandOff
import StatexKeys
import StatexSchedulerCore
import StatexThreads
import Synchronization

/// The keys of a scheduler: read when it starts, and the list of those that are allowed again whenever it changes.
/// A list that cannot be read changes nothing. A key whose end comes leaves as if it was revoked then.
final class KeyReload: Sendable {
    let keyring: Keyring
    private let path: String
    private let handOff: HandOff
    private let current: Mutex<Current>

    private struct Current {
        var keys: KeysInForce
        /// What was read last, for who looks whether it is another.
        var seen: FileStamp?
        /// It could not be used, and the scheduler's status says so.
        var isRefused = false
    }

    /// nil: the scheduler has no key.
    init?(_ configuration: Configuration, handOff: HandOff) throws(KeyError) {
        guard let key = configuration.serverKey else { return nil }
        let (file, pair) = try KeyFile.readSecret(key)
        guard pair.isWhole else { throw KeyError("\(key): its public-key is not that of its secret-key") }
        guard file.role == nil else {
            throw KeyError("\(key): it is the key of a \(file.role?.rawValue ?? "peer"); make one with --server")
        }
        path = configuration.allowedKeys
        self.handOff = handOff
        let seen = FileStamp(path)
        let keys = KeysInForce(try AllowList.read(path, missing: AllowList()), at: .now)
        current = Mutex(Current(keys: keys, seen: seen))
        keyring = Keyring(secret: pair.secretKey, list: keys.list) { complain($0) }
    }

    /// Looks once a second whether the file is another one, and whether a key has ended.
    func watch(_ policies: @escaping @Sendable () -> Policies) {
        NamedThread("key list") { [self] in
            while true {
                let isNew = current.withLock { current in FileStamp(path) != current.seen }
                if isNew { readAgain(policies()) }
                timePassed(policies)
                sleep(1)
            }
        }.detach()
    }

    private func timePassed(_ policies: () -> Policies) {
        current.withLock { current in
            let now = KeyEnd.now
            for key in current.keys.ending(at: now) { complain("keys: \(key.summary) ends soon") }
            let over = current.keys.passed(to: now)
            guard !over.isEmpty else { return }
            publish(current.keys.list, "ended " + over.map(\.summary).joined(separator: "; ended "), policies())
        }
    }

    func readAgain(_ policies: Policies) {
        current.withLock { readAgain(&$0, policies) }
    }

    /// Under the lock: a signal and a look may come at once.
    private func readAgain(_ current: inout Current, _ policies: Policies) {
        // The stamp first: what is written meanwhile is found at the next look.
        current.seen = FileStamp(path)
        do throws(KeyError) {
            let list = try AllowList.read(path, missing: AllowList())
            let changes = current.keys.replace(with: list, at: .now)
            if !changes.isEmpty {
                publish(current.keys.list, changes, policies)
            } else if current.isRefused {
                complain("keys: the list is as it was before", .info)
                handOff.configurations.put(.unchanged)
            }
            current.isRefused = false
        } catch {
            complain("the allowed keys stay as they were, for the new list cannot be used: \(error)")
            current.isRefused = true
            handOff.configurations.put(.refused("allowed_keys: \(error)"))
        }
    }

    private func publish(_ list: AllowList, _ changes: String, _ policies: Policies) {
        complain("keys: \(changes)", .info)
        // Whoever is let in no more may not come back while the broker is being told.
        keyring.replace(with: list)
        handOff.configurations.put(.keys(list, policies, by: "keys \(path)", changes: changes))
    }
}
