import StatexProtocol
import Testing

@testable import StatexClient

/// What the scheduler has no room to wait for: it says at once how such a job stands.
@Suite struct PostponedCoreTests {
    @Test func aJobThatTheSchedulerHadNoRoomToWaitForIsAskedForAgainAfterAPauseUntilItIsFinal() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.sent = []
        for _ in 0..<3 {
            script.result(7, .running)
            #expect(script.awaits(within: PostponedJobs.pause - 500).isEmpty)
            #expect(script.core.nextDeadline > script.now && script.core.nextDeadline <= script.now + 500)
            #expect(script.awaits(within: 500) == [Self.job(7)])
        }
        script.result(7, .succeeded)
        #expect(script.statuses(1)?.map(\.state) == [.succeeded])
        #expect(script.awaits(within: 60_000).isEmpty)
    }

    @Test func aJobThatTheSchedulerThenWaitsForIsNotAskedForOnceMore() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.result(7, .queued)
        script.sent = []
        #expect(script.awaits(within: 120_000) == [Self.job(7)])
        script.result(7, .dead)
        #expect(script.statuses(1)?.map(\.state) == [.dead])
    }

    @Test func ofARequestOnlyTheJobsThatAreOpenAreAskedForAgain() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.sent = []
        script.result(100, index: 0, count: 4, .running)
        script.result(101, index: 1, count: 4, .succeeded)
        script.result(102, index: 2, count: 4, .queued)
        script.result(102, index: 2, count: 4, .queued)
        script.result(103, index: 3, count: 4, .running)
        script.result(103, index: 3, count: 4, .failed)
        #expect(script.awaits(within: 60_000) == [Self.job(100), Self.job(102)])
        script.result(102, index: 2, count: 4, .succeeded)
        #expect(script.answers.isEmpty)
        script.result(100, index: 0, count: 4, .succeeded)
        #expect(script.statuses(1)?.map(\.state) == [.succeeded, .succeeded, .succeeded, .failed])
    }

    @Test func whoFollowsARequestFollowsItsJobsThatAreAskedForAgain() {
        var script = CoreScript.connected()
        script.perform { $0.followed(1, JobID(rawValue: 100)) }
        script.perform { $0.asked(2, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.result(101, index: 1, count: 2, .running)
        script.sent = []
        #expect(
            script.awaits(within: 60_000) == [
                AwaitRecord(JobID(rawValue: 101), isRequest: false, waits: true, follows: true)
            ])
    }

    @Test func theAnswerToALookIsNotTakenForAWaitWithoutRoom() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.perform { $0.asked(2, JobID(rawValue: 100), isRequest: true, waits: false) }
        script.sent = []
        script.result(100, index: 0, count: 2, .running)
        // The answers to the look, and to the wait for the second job.
        script.result(101, index: 1, count: 2, .queued)
        script.result(101, index: 1, count: 2, .queued)
        #expect(script.statuses(2) != nil)
        #expect(script.awaits(within: 60_000) == [Self.job(101)])
    }

    @Test func aNewSessionIsAskedForEverythingAtOnceAndNothingTwice() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.result(101, index: 1, count: 2, .running)
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        let request = AwaitRecord(JobID(rawValue: 100), isRequest: true, waits: true)
        #expect(script.takeAwaits() == [request])
        #expect(script.awaits(within: 60_000).isEmpty)
    }

    @Test func aJobThatNobodyWaitsForAnyMoreIsNotAskedForAgain() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.perform { $0.asked(2, JobID(rawValue: 8), isRequest: false, waits: true) }
        script.result(7, .running)
        script.result(8, .running)
        script.perform { $0.abandoned([1]) }
        script.sent = []
        #expect(script.awaits(within: 60_000) == [Self.job(8)])
    }

    @Test func aRequestIsUnknownWhenAJobOfItIsThatWasAskedForAgain() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.result(101, index: 1, count: 2, .running)
        script.sent = []
        #expect(script.awaits(within: PostponedJobs.pause) == [Self.job(101)])
        script.result(101, nil)
        #expect(script.answers[1] == .failed(.unknown(JobID(rawValue: 101))))
    }

    @Test func aBulkSubmitAsksAgainForWhatItCountsAndCountsItOnce() throws {
        var script = CoreScript.connected()
        script.perform { $0.countingBegan(50) }
        script.perform { $0.submitted(CoreScript.submission(1, requests: 3, counter: 50)) }
        script.accept(1, id: 100, requests: 3, repeated: true)
        script.perform { $0.countAsked(9, of: 50) }
        script.result(100, .succeeded)
        script.result(101, .running)
        script.sent = []
        #expect(script.awaits(within: 60_000) == [Self.job(101)])
        script.result(101, .succeeded)
        script.result(101, .succeeded)
        #expect(script.answers[9] == nil)
        script.result(102, .succeeded)
        #expect(try #require(script.finals(9)).succeeded == 3)
        #expect(script.awaits(within: 60_000).isEmpty)
    }

    @Test func aBulkSubmitThatIsNotifiedAsksForNothing() {
        var script = CoreScript.connected()
        script.perform { $0.countingBegan(50) }
        script.perform { $0.submitted(CoreScript.submission(1, requests: 3, counter: 50)) }
        script.accept(1, id: 100, requests: 3)
        script.result(101, .running)
        #expect(script.awaits(within: 60_000).isEmpty)
    }

    @Test("What is asked again leaves in parts, and with all that a client may ask is what a session may ask")
    func inParts() {
        let most = ClientCore.mostQuestions + ClientCore.countedAtOnce + PostponedJobs.atOnce
        #expect(most <= Limits.awaits)
        var script = CoreScript.connected()
        let size = Limits.jobsInRequest
        let requests = PostponedJobs.atOnce / size + 1
        for place in 1...requests {
            let id = UInt64(place * size)
            script.perform { $0.asked(Ticket(place), JobID(rawValue: id), isRequest: true, waits: true) }
            script.receive { buffer, stamp in
                Header(.results, recordLength: ResultRecord.size, stamp: stamp, count: size).write(to: &buffer)
                for index in 0..<size {
                    ResultRecord(
                        id: JobID(rawValue: id + UInt64(index)), index: UInt16(index), count: UInt16(size),
                        state: .queued
                    ).write(to: &buffer)
                }
            }
        }
        script.sent = []
        #expect(script.awaits(within: PostponedJobs.pause).count == PostponedJobs.atOnce)
        #expect(script.awaits(within: PostponedJobs.pause - 500).isEmpty)
        let rest = script.awaits(within: 500).map(\.id.rawValue)
        let last = UInt64(requests * size)
        #expect(rest == Array(last..<last + UInt64(size)))
    }

    private static func job(_ id: UInt64) -> AwaitRecord {
        AwaitRecord(JobID(rawValue: id), isRequest: false, waits: true)
    }
}

extension CoreScript {
    /// What is asked in so much time, in which the scheduler says no more than that it lives.
    fileprivate mutating func awaits(within milliseconds: Int64) -> [AwaitRecord] {
        var asked: [AwaitRecord] = []
        for _ in 0..<milliseconds / 500 {
            advance(by: 500)
            receive { buffer, stamp in Heartbeat().write(to: &buffer, stamp: stamp) }
            asked += takeAwaits()
        }
        return asked
    }
}
