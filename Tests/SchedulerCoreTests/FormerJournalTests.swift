import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Peers that believed another journal")
struct FormerJournalTests {
    private let scheduler = TestScheduler()

    private func isWelcome(_ journal: UInt64) -> Bool { scheduler.core.mayWelcome(peerOf: journal) }
    private func hasCommitTaken() -> Bool { scheduler.core.takeBatch(at: scheduler.now) != nil }
    private func committed() {
        if let batch = scheduler.core.journalCommitted(at: scheduler.now, into: &scheduler.out) {
            scheduler.core.recycle(batch)
        }
    }

    @Test("A peer of this journal, or of none, is welcome at once, and nothing is committed for it")
    func ownPeers() {
        #expect(isWelcome(0))
        #expect(isWelcome(TestScheduler.incarnation))
        #expect(!hasCommitTaken())
    }

    @Test("A peer of another journal is welcome once a commit of after its question is durable")
    func otherPeers() {
        #expect(!isWelcome(5))
        #expect(hasCommitTaken())
        // That commit proves something about journal 5, and nothing about 6.
        #expect(!isWelcome(5))
        #expect(!isWelcome(6))
        committed()
        #expect(isWelcome(5))
        #expect(!isWelcome(6))
        #expect(hasCommitTaken())
        committed()
        #expect(isWelcome(6))
        #expect(!hasCommitTaken())
    }

    @Test("However many journals strangers name, a bounded number is remembered, and each has its turn")
    func bounded() {
        for journal in 1_000..<UInt64(1_000 + 3 * Limits.formerJournals) { #expect(!isWelcome(journal)) }
        #expect(hasCommitTaken())
        committed()
        #expect(scheduler.core.formerJournals.count == Limits.formerJournals)
        #expect(!isWelcome(5))
        #expect(hasCommitTaken())
        committed()
        #expect(isWelcome(5))
        #expect(scheduler.core.formerJournals.count == Limits.formerJournals)
    }
}
