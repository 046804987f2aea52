import Testing

@testable import StatexStack

struct RestartPolicyTests {
    @Test func `the first death costs no wait, the next ones twice as much each, up to a limit`() {
        var policy = RestartPolicy()
        let delays = (0..<40).map { _ in policy.delay(afterRunningFor: .seconds(1)) }
        #expect(
            delays.prefix(5) == [.zero, .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800)])
        #expect(delays.last == RestartPolicy.longestDelay)
        #expect(zip(delays, delays.dropFirst()).allSatisfy { $0 <= $1 })
    }

    @Test func `a long run makes up for earlier deaths`() {
        var policy = RestartPolicy()
        for _ in 0..<5 { _ = policy.delay(afterRunningFor: .zero) }
        #expect(policy.delay(afterRunningFor: RestartPolicy.forgetAfter) == .zero)
        #expect(policy.deaths == 1)
    }
}
