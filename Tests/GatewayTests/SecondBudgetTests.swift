import Testing

@testable import StatexGateway

struct SecondBudgetTests {
    @Test func `what is beyond a second's share is left out, and the next second has its own`() {
        let budget = SecondBudget(100)
        #expect([60, 60, 60].map { budget.take($0, at: .milliseconds(5_100)) } == [60, 40, 0])
        #expect(budget.take(1_000, at: .milliseconds(5_999)) == 0)
        #expect(budget.take(30, at: .seconds(6)) == 30)
        #expect(budget.take(1_000, at: .seconds(60)) == 100)
    }
}
