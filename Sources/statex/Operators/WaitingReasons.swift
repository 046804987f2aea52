import StatexClient
import StatexConfiguration
import StatexProtocol

/// Why jobs wait, in words, of those of these that do. Only the scheduler knows; without one nothing is said.
func waitingReasons(
    of ids: [JobID], _ options: ClientOptions, _ loaded: LoadedConfiguration
) async -> [JobID: String] {
    var options = options
    options.timeout = options.timeout ?? 2
    guard !ids.isEmpty, let client = try? await options.connect(loaded, looksOnly: true) else { return [:] }
    // All at once: the client asks for all of them in a few messages.
    let reasons = await withTaskGroup(of: (id: JobID, words: String?).self) { group in
        for id in ids {
            group.addTask {
                let explanation = try? await client.explain(job: id)
                guard let explanation, explanation.state != nil, explanation.reason != .none else { return (id, nil) }
                return (id, explanation.sentence)
            }
        }
        var reasons: [JobID: String] = [:]
        for await reason in group { reasons[reason.id] = reason.words }
        return reasons
    }
    await client.close()
    return reasons
}
