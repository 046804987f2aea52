import StatexProtocol

// Which of two journals is the restored one, a peer cannot know: their incarnations are random. The journal knows.
// A peer that believed another one may come from the past, or this owner may belong to it and not know yet; so
// such a peer is welcomed only once a commit of after its HELLO is durable, which no owner of the past achieves.

extension SchedulerCore {
    /// A peer says HELLO, and that it believed `journal` last (0: none).
    /// - Returns: whether it may be welcomed. If not, it is asked again after the next commits.
    package mutating func mayWelcome(peerOf journal: UInt64) -> Bool {
        guard journal != 0, journal != incarnation, !formerJournals.contains(journal) else { return true }
        let isAsked = gathering.formerJournals.contains(journal) || underway?.formerJournals.contains(journal) == true
        if !isAsked, gathering.formerJournals.count < Limits.formerJournals { gathering.formerJournals.append(journal) }
        return false
    }

    /// This is the owner, so what its peers believed is over.
    mutating func provedFormer(_ journals: [UInt64]) {
        formerJournals += journals
        formerJournals.removeFirst(max(formerJournals.count - Limits.formerJournals, 0))
    }
}
