import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("What the journal cannot read")
struct UnreadableTests {
    @Test("A job whose payload cannot be read ends as failed with the reason, and its worker is free for others")
    func payload() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        _ = scheduler.worker(1, credit: 1, slots: 1)
        for sequence in 1...2 { try scheduler.submit(sequence: UInt64(sequence), client: client) }
        scheduler.settle()
        let lease = try #require(scheduler.out.leases.last)
        scheduler.core.leaseRefused(lease, "a page is corrupt", at: scheduler.now)
        scheduler.core.validate()
        // The lease is over: nothing happens twice.
        scheduler.core.leaseRefused(lease, "a page is corrupt", at: scheduler.now)
        scheduler.settle()
        #expect(scheduler.outcomes.map(\.final) == [.failed])
        #expect(scheduler.errors == [ErrorText("refused", "a page is corrupt")])
        #expect(scheduler.leases.map(\.id) == [TestScheduler.firstID, TestScheduler.firstID + 1])
    }

    @Test("An order about which the journal refuses to say anything is refused, and the next has its turn")
    func order() throws {
        let scheduler = TestScheduler()
        let client = scheduler.client()
        var findings = OrderFindings()
        findings.refusal = "out of range"
        scheduler.order(.pause(1), client: client, findings)
        scheduler.order(.pause(2), client: client)
        scheduler.settle()
        let replies = scheduler.replies()
        #expect(replies.map(\.code) == [WireError.Code.refused.rawValue, 0])
        #expect(replies.map(\.message) == ["out of range", "everything is paused"])
        #expect(scheduler.journal.flatMap(\.actions).count == 1)
    }
}
