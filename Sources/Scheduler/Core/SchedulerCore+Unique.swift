import StatexProtocol

// Uniqueness: a request of whose kind a user wants one only, in some time or while it is unfinished. A second
// one is not recorded; the submitter is answered with the first.

extension SchedulerCore {
    /// The request that stands in the way of a new one, or nil.
    ///
    /// - Parameter known: what the journal's reader found; memory has what it may have missed.
    mutating func holder(
        of key: UniqueKeys.Key, _ rule: UniqueRule, known: UniqueKeys.Use?, at now: Now
    ) -> UniqueKeys.Use? {
        guard let use = uniqueKeys.use(of: key) ?? known else { return nil }
        let holds = rule.seconds == 0 ? isUnfinished(use) : now.wall - use.at < Int64(rule.seconds) * 1_000_000
        return holds ? use : nil
    }

    private mutating func isUnfinished(_ use: UniqueKeys.Use) -> Bool {
        for offset in 0..<UInt64(use.jobs) {
            if let slot = jobs.slot(of: use.request + offset), !jobs[slot].state.isFinal { return true }
        }
        return false
    }
}
