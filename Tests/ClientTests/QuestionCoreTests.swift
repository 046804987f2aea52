import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct QuestionCoreTests {
    @Test func aJobIsAwaitedUntilItIsFinal() throws {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        #expect(script.takeAwaits() == [AwaitRecord(JobID(rawValue: 7), isRequest: false, waits: true)])
        script.result(7, .running)
        #expect(script.answers.isEmpty)
        script.result(7, .succeeded, body: "done")
        let jobs = try #require(script.statuses(1))
        #expect(jobs.map(\.state) == [.succeeded])
        #expect(jobs.first?.text == "done")
        #expect(jobs.first?.kind == "text")
    }

    @Test func aRequestIsAnsweredWhenAllOfItsJobsAreThere() throws {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.result(102, index: 2, count: 3, .succeeded)
        script.result(100, index: 0, count: 3, .cancelled)
        script.result(100, index: 0, count: 3, .cancelled)
        #expect(script.answers.isEmpty)
        script.result(101, index: 1, count: 3, .running)
        #expect(script.answers.isEmpty)
        script.result(101, index: 1, count: 3, .succeeded)
        let jobs = try #require(script.statuses(1))
        #expect(jobs.map(\.id.rawValue) == [100, 101, 102])
        #expect(RequestStatus(id: JobID(rawValue: 100), jobs: jobs).state == .cancelled)
    }

    @Test func aLookIsAnsweredWithTheStateOfNow() throws {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 100), isRequest: true, waits: false) }
        script.perform { $0.asked(2, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.result(100, index: 0, count: 2, .succeeded)
        script.result(101, index: 1, count: 2, .queued)
        let jobs = try #require(script.statuses(1))
        #expect(jobs.map(\.state) == [.succeeded, .queued])
        #expect(script.answers[2] == nil)
    }

    @Test func severalWhoWaitForOneJobAskOnceAndAreAllAnswered() {
        var script = CoreScript.connected()
        script.sent = []
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.perform { $0.asked(2, JobID(rawValue: 7), isRequest: false, waits: true) }
        #expect(script.takeAwaits().count == 1)
        script.result(7, .succeeded)
        #expect(script.answers[1] != nil && script.answers[1] == script.answers[2])
    }

    @Test func anUnknownIdIsSaidToBeUnknown() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: true, waits: true) }
        script.result(7, nil)
        #expect(script.answers[1] == .failed(.unknown(JobID(rawValue: 7))))
    }

    @Test func aJobThatWasAskedAsARequestNamesItsRequest() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 102), isRequest: true, waits: true) }
        script.result(102, index: 2, count: 3, .queued)
        #expect(
            script.answers[1] == .failed(.invalid("102 is job 3 of request 100, not a request; ask for that one")))
    }

    @Test func afterAReconnectWhatIsWaitedForIsAskedAgain() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.perform { $0.asked(2, JobID(rawValue: 100), isRequest: true, waits: true) }
        script.perform { $0.asked(3, JobID(rawValue: 8), isRequest: false, waits: true) }
        script.result(8, .dead)
        script.result(100, index: 0, count: 2, .succeeded)
        script.fault(.session)
        script.advance(by: 150)
        script.stamp.session = 2
        script.sent = []
        script.welcome()
        #expect(
            script.takeAwaits() == [
                AwaitRecord(JobID(rawValue: 7), isRequest: false, waits: true),
                AwaitRecord(JobID(rawValue: 100), isRequest: true, waits: true),
            ])
        script.result(100, index: 0, count: 2, .succeeded)
        script.result(101, index: 1, count: 2, .succeeded)
        #expect(script.answers[2] != nil)
    }

    @Test func whatWasAbandonedIsNotAskedAgain() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.perform { $0.abandoned([1]) }
        #expect(script.answers[1] == .failed(.cancelled))
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        #expect(script.takeAwaits().isEmpty)
    }

    @Test("All that a client may ask goes out at once after a reconnect, and is no more than a session may ask")
    func asMuchAsASessionTakes() {
        var script = CoreScript.connected()
        let most = Limits.awaits / 2
        script.perform { core in
            for ticket in 1...most {
                core.asked(Ticket(ticket), JobID(rawValue: UInt64(ticket)), isRequest: false, waits: true)
            }
            core.asked(Ticket(most + 1), JobID(rawValue: 7), isRequest: true, waits: true)
        }
        guard case .failed(.busy(let why)) = script.answers[Ticket(most + 1)] else {
            Issue.record("the client takes more than a session may ask")
            return
        }
        #expect(why.contains("\(most)"))
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        #expect(script.takeAwaits().count == most)
    }

    @Test func aSchedulerWithoutRoomForQuestionsIsAskedAgainLater() {
        var script = CoreScript.connected()
        script.perform { $0.asked(1, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.sent = []
        script.fault(.busy, retryAfter: 200)
        script.advance(by: 199)
        #expect(script.takeAwaits().isEmpty)
        script.advance(by: 101)
        #expect(script.takeAwaits().count == 1)
    }

    @Test func aCancelIsAnsweredWithTheJobsThatItReachedAndRepeatedAfterAReconnect() {
        var script = CoreScript.connected()
        script.perform { $0.cancelOrdered(1, JobID(rawValue: 100), isRequest: true) }
        script.fault(.session)
        script.advance(by: 150)
        script.sent = []
        script.welcome()
        #expect(script.takeSent() == [.cancel])
        script.receive { buffer, stamp in
            Header(.cancelled, recordLength: CancelRecord.size, stamp: stamp, count: 1).write(to: &buffer)
            CancelRecord(JobID(rawValue: 100), isRequest: true, jobs: 3).write(to: &buffer)
        }
        #expect(script.answers[1] == .cancelled(3))
    }

    @Test func theSchedulersStatusIsHandedOnAsItCame() {
        var script = CoreScript.connected()
        script.perform { $0.statusAsked(1) }
        script.perform { $0.statusAsked(2) }
        script.receive { buffer, stamp in
            StatusReply.write(Array(#"{"queued":3}"#.utf8).span.bytes, stamp: stamp, to: &buffer)
        }
        #expect(script.answers[1] == .schedulerStatus(#"{"queued":3}"#))
        #expect(script.answers[2] == .schedulerStatus(#"{"queued":3}"#))
    }
}
