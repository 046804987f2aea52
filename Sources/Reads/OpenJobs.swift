import StatexProtocol

/// The open jobs of one tenant, as far as they were found.
package struct OpenJobs: Sendable {
    /// By kind, in the order of their names.
    package let kinds: [(kind: String, states: [JobState: Int])]
    /// Whether these are all of them.
    package let isWhole: Bool
}

extension JournalReader {
    /// Counts open jobs, the newest first: the scheduler counts by kind alone, and what is others' is not shown.
    package borrowing func openJobs(
        ofTenant tenant: String, limit: Int, patience: Duration
    ) throws(ReadError) -> OpenJobs {
        var filter = JobFilter()
        filter.states = JobState.allCases.filter { !$0.isFinal }
        let list = try jobs(filter, Walk(limit: limit, patience: patience), for: .tenant(tenant))
        let columns = (kind: list.columns.index(of: "kind") ?? 0, state: list.columns.index(of: "state") ?? 0)
        var kinds: [String: [JobState: Int]] = [:]
        for row in list.rows {
            guard let state = JobState.allCases.first(where: { $0.name == row[columns.state] }) else { continue }
            kinds[row[columns.kind] ?? "", default: [:]][state, default: 0] += 1
        }
        return OpenJobs(
            kinds: kinds.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }, isWhole: list.next == nil)
    }
}
