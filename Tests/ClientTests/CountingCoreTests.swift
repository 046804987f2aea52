import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct CountingCoreTests {
    @Test func finalsOfABulkSubmitAreCountedOnceEach() {
        var script = Self.begun(jobs: 4)
        script.accept(1, id: 100, requests: 4)
        script.perform { $0.countAsked(9, of: 50) }
        script.result(100, .succeeded)
        script.result(100, .succeeded)
        script.result(101, .running)
        script.result(101, .dead)
        script.result(103, .succeeded)
        script.result(200, .succeeded)
        #expect(script.answers[9] == nil)
        script.result(102, .succeeded)
        var counts = FinalCounts()
        counts.succeeded = 3
        counts.dead = 1
        #expect(script.answers[9] == .finals(counts))
    }

    @Test func afterAReconnectOpenJobsAreAskedForByIdBecauseNotificationIsGone() throws {
        var script = Self.begun(jobs: 3)
        script.accept(1, id: 100, requests: 3)
        script.result(101, .succeeded)
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        #expect(script.takeAwaits().map(\.id.rawValue) == [100, 102])
        script.result(100, .succeeded)
        script.result(102, .failed)
        script.perform { $0.countAsked(9, of: 50) }
        let counts = try #require(script.finals(9))
        #expect(counts.total == 3)
    }

    @Test func jobsOfARepeatedSubmitAreAskedForByIdToo() {
        var script = Self.begun(jobs: 2)
        script.sent = []
        script.accept(1, id: 100, requests: 2, repeated: true)
        #expect(script.takeAwaits().map(\.id.rawValue) == [100, 101])
    }

    @Test func notMoreIdsThanSixteenMessagesWaitAtOnce() {
        var script = CoreScript.connected { $0.windowRequests = 65_536 }
        script.core.countingBegan(50)
        for ticket in 1...32 {
            script.perform { $0.submitted(CoreScript.submission(Ticket(ticket), requests: 4_096, counter: 50)) }
            script.accept(UInt64(ticket - 1) * 4_096 + 1, id: UInt64(ticket) * 4_096, requests: 4_096)
        }
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        #expect(script.takeAwaits().count == 65_536)
        script.result(4_096, .succeeded)
        #expect(script.takeAwaits().map(\.id.rawValue) == [17 * 4_096])
    }

    @Test func countingThatNobodyAsksForIsForgotten() {
        var script = Self.begun(jobs: 1)
        script.perform { $0.countingEnded(50) }
        script.accept(1, id: 100)
        #expect(script.answers[1] != nil)
        script.result(100, .succeeded)
        #expect(script.core.counters.isEmpty)
    }

    private static func begun(jobs: Int) -> CoreScript {
        var script = CoreScript.connected()
        script.core.countingBegan(50)
        script.perform { $0.submitted(CoreScript.submission(1, requests: jobs, counter: 50)) }
        return script
    }
}
