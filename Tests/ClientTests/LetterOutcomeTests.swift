import StatexProtocol
import Testing

@testable import StatexClient

@Suite struct LetterOutcomeTests {
    /// Orders about letters: how many each named, how many it reached, and what it was answered.
    private func outcome(
        _ action: OrderAction, _ orders: (count: Int, reached: Int, message: String)...
    ) -> OrderSender.LetterOutcome {
        var outcome = OrderSender.LetterOutcome(action)
        for order in orders {
            var reply = OrderReply(number: 1)
            reply.message = order.message
            outcome.add(order.count, reached: order.reached, first: reply, last: reply)
        }
        return outcome
    }

    @Test func `an order that reached all of its letters leaves nothing to explain`() {
        let all = outcome(.retry, (2, 2, "as 7, 8"))
        #expect(all.messages == ["as 7, 8"])
        #expect(all.shortfall == nil && all.unexplained == nil)
    }

    @Test func `letters that a retry passes over are counted, with what may keep them back`() {
        let some = outcome(.retry, (3, 1, "as 7"), (2, 0, ""))
        #expect(some.messages == ["as 7"])
        // The ids of the new jobs are no reason.
        #expect(some.shortfall == nil)
        #expect(some.unexplained?.hasPrefix("4 left: what they wait for has not succeeded, or ") == true)
        #expect(outcome(.drop, (2, 1, "")).unexplained == "1 left: somebody retried or dropped them meanwhile")
    }

    @Test func `what there was no room for is told as the scheduler says it, without the new jobs`() {
        let full = outcome(.retry, (3, 1, "as 7; 2 left: max_open_jobs is 1; submit later"))
        #expect(full.shortfall == "2 left: max_open_jobs is 1; submit later")
        #expect(full.messages == ["as 7; 2 left: max_open_jobs is 1; submit later"])
        #expect(full.unexplained == nil)
        #expect(outcome(.retry, (3, 0, "3 left: no room")).shortfall == "3 left: no room")
    }
}
