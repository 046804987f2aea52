import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct OrderCoreTests {
    private func pause(_ number: UInt64) -> Order {
        var order = Order(.pause, number: number, who: "mira")
        order.filter.kind = "text"
        return order
    }

    private func orders(in messages: [[UInt8]]) throws -> [UInt64] {
        try messages.compactMap { message in
            let header = try Header(reading: message.span.bytes)
            return header.type == .order ? try Order(reading: message.span.bytes, header: header).number : nil
        }
    }

    @Test func anUnansweredOrderIsSentAgainInTheNextSessionUnderItsNumber() throws {
        var script = CoreScript.connected()
        script.perform { $0.ordered(1, pause(7)) }
        #expect(try orders(in: script.sent) == [7])
        script.sent = []
        let now = script.now
        script.perform { $0.socketFailed("gone", at: now) }
        script.advance(by: 5_000)
        script.welcome()
        #expect(try orders(in: script.sent) == [7])
        script.receive { buffer, stamp in
            var reply = OrderReply(number: 7)
            reply.reached = 3
            reply.isRepeated = true
            reply.write(to: &buffer, stamp: stamp)
        }
        guard case .ordered(let reply) = script.answers[1] else {
            Issue.record("\(String(describing: script.answers[1]))")
            return
        }
        #expect(reply.reached == 3 && reply.isRepeated)
    }

    @Test func anOrderThatFoundNoRoomIsSentAgainLater() throws {
        var script = CoreScript.connected()
        script.perform { $0.ordered(1, pause(7)) }
        script.sent = []
        script.fault(.busy, retryAfter: 200)
        #expect(try orders(in: script.sent).isEmpty)
        script.advance(by: 1_000)
        #expect(try orders(in: script.sent) == [7])
    }

    @Test func aJobThatManyAskAboutIsAskedAboutOnce() throws {
        var script = CoreScript.connected()
        let job = JobID(rawValue: 7)
        for ticket in [Ticket(1), 2, 3] { script.perform { $0.explanationAsked(ticket, job) } }
        let asked = try script.sent.filter { try Header(reading: $0.span.bytes).type == .explain }
        #expect(asked.count == 1)
        script.receive { buffer, stamp in
            Header(.explanations, recordLength: Explanation.size, stamp: stamp, count: 1).write(to: &buffer)
            Explanation(job, state: .queued, reason: .slotsBusy).write(to: &buffer)
        }
        #expect(script.answers.count == 3)
        // Answered, it may stand otherwise by now.
        script.sent = []
        script.perform { $0.explanationAsked(4, job) }
        #expect(script.sent.count == 1)
    }

    @Test func anOrderWhosePatienceEndsIsGivenUp() {
        var script = CoreScript.connected()
        let deadline = script.now + 500
        script.perform { $0.ordered(1, pause(7), deadline: deadline) }
        script.advance(by: 1_000)
        guard case .failed(.unreachable) = script.answers[1] else {
            Issue.record("\(String(describing: script.answers[1]))")
            return
        }
    }
}
