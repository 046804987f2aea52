import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct SubmitCoreTests {
    @Test func anAcceptedSubmitIsAnsweredWithItsIds() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 3)) }
        script.accept(1, id: 5_000, requests: 3)
        let run = AcceptedRun(
            sequence: 1, firstID: JobID(rawValue: 5_000), requests: 3, jobsEach: 1, repeated: false)
        #expect(script.answers[1] == .submitted(Receipt(firstSequence: 1, accepted: [run])))
    }

    @Test func anAnswerInPartsCompletesWhenTheLastSequenceIsAnswered() throws {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 4)) }
        script.accept(3, id: 30, requests: 2)
        script.refuse(2, .keyConflict)
        #expect(script.answers[1] == nil)
        script.accept(1, id: 10)
        let receipt = try #require(script.receipt(1))
        #expect(receipt.accepted.map(\.sequence) == [3, 1])
        #expect(receipt.refused.map(\.sequence) == [2])
    }

    @Test func anAnswerThatComesTwiceIsTakenOnce() throws {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 3)) }
        script.accept(1, id: 10, requests: 2)
        script.accept(1, id: 10, requests: 3)
        let receipt = try #require(script.receipt(1))
        #expect(receipt.accepted.map(\.sequences) == [1..<3, 3..<4])
        #expect(receipt.accepted.map(\.firstID.rawValue) == [10, 12])
    }

    @Test func oneRunMayAnswerSeveralMessages() throws {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 2)) }
        script.perform { $0.submitted(CoreScript.submission(2, requests: 2)) }
        script.accept(1, id: 100, requests: 4)
        let second = try #require(script.receipt(2))
        #expect(second.accepted.first?.firstID.rawValue == 102)
        #expect(script.answers[1] != nil)
    }

    @Test func afterALostAcknowledgementTheSameBytesAreSubmittedAgain() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 2)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        let first = script.takeSubmits()
        #expect(first.map(CoreScript.firstSequence) == [1, 3])
        // The acknowledgement is lost with the connection; the scheduler comes back as a new epoch.
        script.advance(by: 3_000)
        #expect(!script.core.wantsSocket)
        script.advance(by: 0)
        script.stamp = SessionStamp(session: 2, incarnation: 100, epoch: 6)
        script.sent = []
        script.welcome(lastSequence: 3)
        let again = script.takeSubmits()
        #expect(again.map(CoreScript.withoutStamp) == first.map(CoreScript.withoutStamp))
        #expect(again.allSatisfy { $0.span.bytes.integer(UInt64.self, at: 8) == 2 })
        script.accept(1, id: 10, requests: 2, repeated: true)
        script.accept(3, id: 12, repeated: true)
        #expect(script.answers[1] != nil && script.answers[2] != nil)
        script.perform { $0.submitted(CoreScript.submission(3)) }
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [4])
    }

    @Test func whatWasAnsweredIsNotSubmittedAgain() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        script.accept(1, id: 10)
        script.sent = []
        script.fault(.session)
        script.advance(by: 200)
        script.welcome()
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
    }

    @Test func aProducerOfAnEarlierProcessGoesOnAfterItsLastSequence() {
        var script = CoreScript()
        script.advance(by: 0)
        script.welcome(lastSequence: 70_000)
        script.perform { $0.submitted(CoreScript.submission(1)) }
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [70_001])
    }

    @Test func aBusySchedulerIsLeftAloneAndAskedAgainWithTheSameSequences() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, requests: 2)) }
        let first = script.takeSubmits()
        script.refuse(1, requests: 2, .busy, retryAfter: 100)
        script.perform { $0.submitted(CoreScript.submission(2)) }
        #expect(script.takeSubmits().isEmpty)
        #expect(script.answers.isEmpty)
        // Not before the time that it asked for; not long after.
        script.advance(by: 99)
        #expect(script.takeSubmits().isEmpty)
        #expect(script.core.nextDeadline <= script.now + 51)
        script.advance(by: 51)
        #expect(
            Set(script.takeSubmits().map(CoreScript.withoutStamp)).isSuperset(of: first.map(CoreScript.withoutStamp)))
    }

    @Test func eachFurtherRefusalMakesTheClientWaitLonger() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        var waits: [Int64] = []
        for _ in 0..<5 {
            script.refuse(1, .busy, retryAfter: 100)
            let start = script.now
            script.sent = []
            while script.takeSubmits().isEmpty { script.advance(by: 1) }
            waits.append(script.now - start)
        }
        for (index, wait) in waits.enumerated() {
            let base = min(100 << Int64(index), 1_000)
            #expect(wait >= base && wait <= base + base / 2)
        }
    }

    @Test func afterARefusalOneMessageTriesAndTheOthersFollowWhenItIsTaken() {
        var script = CoreScript.connected()
        for ticket in 1...3 { script.perform { $0.submitted(CoreScript.submission(Ticket(ticket))) } }
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1, 2, 3])
        // All of one moment: the pause is that of one refusal.
        for sequence in 1...3 { script.refuse(UInt64(sequence), .busy, retryAfter: 100) }
        script.advance(by: 150)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1])
        script.perform { $0.submitted(CoreScript.submission(4)) }
        script.advance(by: 900)
        #expect(script.takeSubmits().isEmpty)
        script.refuse(1, .busy, retryAfter: 100)
        script.advance(by: 300)
        // Another one tries; the refused one went to the end.
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
        script.accept(2, id: 20)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [3, 4, 1])
        #expect(script.receipt(2) != nil)
    }

    @Test func aNewSessionSendsAllAtOnceWhateverWasRefusedBefore() {
        var script = CoreScript.connected()
        for ticket in 1...2 { script.perform { $0.submitted(CoreScript.submission(Ticket(ticket))) } }
        for sequence in 1...2 { script.refuse(UInt64(sequence), .busy, retryAfter: 100) }
        script.fault(.session)
        script.sent = []
        script.advance(by: 200)
        script.welcome()
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1, 2])
    }

    @Test func aRefusalForGoodOfWhatTriedLetsTheOthersGo() {
        var script = CoreScript.connected()
        for ticket in 1...2 { script.perform { $0.submitted(CoreScript.submission(Ticket(ticket))) } }
        for sequence in 1...2 { script.refuse(UInt64(sequence), .busy, retryAfter: 100) }
        script.sent = []
        script.advance(by: 150)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1])
        script.refuse(1, .keyConflict)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
    }

    @Test func aSubmitThatWillBeRefusedAgainIsAnswered() throws {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.refuse(1, .keyConflict)
        let receipt = try #require(script.receipt(1))
        #expect(receipt.refused.map(\.code) == [WireError.Code.keyConflict.rawValue])
    }

    @Test func aFullWindowHoldsSubmitsBackUntilSomethingIsAnswered() {
        var script = CoreScript.connected { $0.windowRequests = 10 }
        for ticket in 1...4 { script.perform { $0.submitted(CoreScript.submission(Ticket(ticket), requests: 4)) } }
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1, 5])
        script.accept(5, id: 50, requests: 4)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [9])
        script.accept(1, id: 10, requests: 4)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [13])
    }

    @Test func theWindowIsBoundedInBytesButLetsOneLargeMessageThrough() {
        var script = CoreScript.connected { $0.windowBytes = 10 }
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1])
        script.accept(1, id: 10)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
    }

    @Test func sequencesStayWithinWhatTheSchedulerRemembers() {
        var script = CoreScript.connected { $0.windowRequests = 1_000_000 }
        script.perform { $0.submitted(CoreScript.submission(1)) }
        // The first stays unanswered while 16 times 4,096 others come and go.
        for ticket in 2...17 {
            script.perform { $0.submitted(CoreScript.submission(Ticket(ticket), requests: 4_096)) }
            script.accept(UInt64(ticket - 2) * 4_096 + 2, id: UInt64(ticket) * 10_000, requests: 4_096)
        }
        #expect(script.answers[16] != nil)
        #expect(script.answers[17] == nil)
        script.sent = []
        script.accept(1, id: 10)
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [15 * 4_096 + 2])
    }

    @Test func aFullSocketGetsEachMessageOnceWhenItHasRoom() {
        var script = CoreScript.connected()
        script.isFull = true
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        script.isFull = false
        script.run()
        script.run()
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [1, 2])
    }

    @Test func whoGivesUpIsToldSoAndItsSubmitIsForgotten() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, deadline: 1_500)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        script.advance(by: 600)
        #expect(script.answers[1] == .failed(.unreachable("gave up waiting: no scheduler answers there")))
        script.sent = []
        script.fault(.session)
        script.advance(by: 200)
        script.welcome()
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
        script.accept(1, id: 10)
        #expect(script.answers[2] == nil)
    }

    @Test func whoGivesUpOnABusySchedulerIsToldThatItWasBusy() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, deadline: 1_500)) }
        script.refuse(1, .busy, retryAfter: 5_000)
        script.advance(by: 600)
        #expect(script.answers[1] == .failed(.busy("because")))
    }

    @Test func whatNeverLeftIsToldToBeUnsent() {
        var script = CoreScript()
        script.perform { $0.submitted(CoreScript.submission(1, deadline: 1_500)) }
        script.advance(by: 600)
        #expect(script.answers[1] == .failed(.unsent("gave up waiting: no scheduler answers there")))
    }

    @Test func whatWasPutOffAndSentAgainMayBeRecorded() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, deadline: 5_000)) }
        script.refuse(1, .busy, retryAfter: 200)
        script.sent = []
        script.advance(by: 1_000)
        #expect(script.takeSubmits().count == 1)
        script.advance(by: 4_000)
        guard case .failed(.unreachable) = script.answers[1] else {
            Issue.record("\(String(describing: script.answers[1]))")
            return
        }
    }

    @Test func whatWasPutOffAfterASessionThatNeverAnsweredMayBeRecorded() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1, deadline: 60_000)) }
        script.fault(.session)
        script.advance(by: 200)
        script.welcome()
        // It looks at nothing while it is busy: what the session before did stays unknown.
        script.refuse(1, .busy, retryAfter: 120_000)
        script.advance(by: 60_000)
        guard case .failed(.unreachable) = script.answers[1] else {
            Issue.record("\(String(describing: script.answers[1]))")
            return
        }
    }

    @Test func anAbandonedSubmitMakesRoom() {
        var script = CoreScript.connected { $0.windowRequests = 1 }
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.submitted(CoreScript.submission(2)) }
        script.perform { $0.submitted(CoreScript.submission(3)) }
        script.sent = []
        script.perform { $0.abandoned([1, 2]) }
        #expect(script.answers[1] == .failed(.cancelled))
        #expect(script.answers[2] == .failed(.cancelled))
        #expect(script.takeSubmits().map(CoreScript.firstSequence) == [2])
        script.accept(2, id: 20)
        #expect(script.answers[3] != nil)
    }

    @Test func anAnswerToSequencesThatWereNeverSentChangesNothing() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.accept(500, id: 10, requests: 65_536)
        script.refuse(1 << 61, .busy, retryAfter: 1)
        #expect(script.answers.isEmpty)
        script.accept(1, id: 10)
        #expect(script.answers[1] != nil)
    }
}
