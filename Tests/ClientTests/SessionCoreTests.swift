import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct SessionCoreTests {
    @Test func nothingButHelloIsSentBeforeWelcome() {
        var script = CoreScript()
        script.core.submitted(CoreScript.submission(1))
        script.core.asked(2, JobID(rawValue: 7), isRequest: true, waits: true)
        script.advance(by: 0)
        #expect(script.takeSent() == [.hello])
        script.welcome()
        #expect(script.takeSent() == [.await, .submit])
    }

    @Test func anUnansweredHelloIsSaidAgainOnANewSocket() {
        var script = CoreScript()
        script.advance(by: 0)
        #expect(script.core.wantsSocket)
        script.advance(by: 3_000)
        #expect(!script.core.wantsSocket)
        script.advance(by: 150)
        #expect(script.core.wantsSocket)
        #expect(script.takeSent() == [.hello, .hello])
    }

    @Test func aQuietClientSaysThatItLives() {
        var script = CoreScript.connected()
        script.sent = []
        script.advance(by: 999)
        #expect(script.takeSent() == [])
        script.advance(by: 1)
        #expect(script.takeSent() == [.heartbeat])
        #expect(script.core.nextDeadline == script.now + 1_000)
    }

    @Test func threeSilentHeartbeatsEndTheSessionAndAnyMessageCountsAsLife() {
        var script = CoreScript.connected()
        script.advance(by: 2_900)
        script.receive { buffer, stamp in Heartbeat().write(to: &buffer, stamp: stamp) }
        script.advance(by: 2_900)
        #expect(script.core.wantsSocket)
        script.advance(by: 100)
        #expect(!script.core.wantsSocket)
    }

    @Test func messagesOfAnotherSessionAreDroppedAndNoLife() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.stamp.session = 99
        script.advance(by: 2_000)
        script.accept(1, id: 10)
        #expect(script.answers.isEmpty)
        #expect(script.core.dropped == 1)
        script.advance(by: 1_000)
        #expect(!script.core.wantsSocket)
    }

    @Test func anUnknownSessionIsBegunAnew() {
        var script = CoreScript.connected()
        script.fault(.session)
        #expect(!script.core.wantsSocket)
        script.sent = []
        script.advance(by: 150)
        #expect(script.core.wantsSocket)
        #expect(script.takeSent() == [.hello])
    }

    @Test func aLowerEpochOfTheSameIncarnationIsRefused() {
        var script = CoreScript.connected()
        script.fault(.session)
        script.advance(by: 150)
        script.stamp = SessionStamp(session: 2, incarnation: 100, epoch: 4)
        script.welcome()
        #expect(!script.core.wantsSocket)
        script.advance(by: 300)
        script.stamp.epoch = 5
        script.welcome()
        script.advance(by: 0)
        #expect(script.core.wantsSocket)
    }

    @Test func anIncarnationThatWasLeftIsNotGoneBackTo() {
        var script = CoreScript.connected()
        script.fault(.session)
        script.advance(by: 150)
        // A restored journal: another incarnation, and a lower epoch is right there.
        script.stamp = SessionStamp(session: 2, incarnation: 200, epoch: 1)
        script.welcome()
        #expect(script.core.wantsSocket)
        script.fault(.session)
        script.advance(by: 150)
        script.stamp = SessionStamp(session: 3, incarnation: 100, epoch: 50)
        script.welcome()
        #expect(!script.core.wantsSocket)
    }

    @Test func whoWaitsForAConnectionIsToldWhenThereIsOneOrTimeIsUp() {
        var script = CoreScript()
        script.core.connectionAsked(1, deadline: script.now + 10_000)
        script.core.connectionAsked(2, deadline: script.now + 500)
        script.advance(by: 0)
        script.advance(by: 600)
        #expect(script.answers[2] == .failed(.unreachable("gave up waiting: no scheduler answers there")))
        script.welcome()
        #expect(script.answers[1] == .connected)
    }

    @Test func aRefusedHelloIsToldToWhoWaitsForTheConnection() {
        var script = CoreScript()
        script.core.connectionAsked(1, deadline: .max)
        script.advance(by: 0)
        script.stamp = SessionStamp()
        script.fault(.version)
        #expect(script.answers[1] == .failed(.refused(code: 2, "because")))
        #expect(!script.core.wantsSocket)
    }

    @Test func aFaultThatBlamesAMessageFailsWhatIsUnderWay() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.asked(2, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.fault(.malformed)
        #expect(script.answers[1] == .failed(.refused(code: 1, "because")))
        #expect(script.answers[2] == .failed(.refused(code: 1, "because")))
    }

    @Test func closingSaysGoodbyeAndFailsWhatWaits() {
        var script = CoreScript.connected()
        script.perform { $0.submitted(CoreScript.submission(1)) }
        script.perform { $0.asked(2, JobID(rawValue: 7), isRequest: false, waits: true) }
        script.perform { $0.cancelOrdered(3, JobID(rawValue: 7), isRequest: true) }
        script.perform { $0.statusAsked(4) }
        script.sent = []
        script.perform { $0.closeOrdered() }
        #expect(script.takeSent() == [.goodbye])
        #expect(script.core.isClosed)
        for ticket in 1...4 { #expect(script.answers[Ticket(ticket)] == .failed(.closed)) }
    }

    @Test func garbageFromTheSchedulerIsCountedAndChangesNothing() {
        var script = CoreScript.connected()
        script.receive { buffer, _ in buffer.append("not a message of this protocol at all") }
        script.receive { buffer, stamp in Credit.write(1, stamp: stamp, to: &buffer) }
        #expect(script.core.dropped == 2)
        #expect(script.core.wantsSocket)
    }
}
