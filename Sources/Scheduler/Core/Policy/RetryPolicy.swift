/// When a failed attempt is tried again: exponential backoff with full jitter.
package struct RetryPolicy: Sendable, Equatable {
    package var baseNanoseconds: Int64 = 1_000_000_000
    package var maximumNanoseconds: Int64 = 600_000_000_000

    package init() {}

    /// 30 days, as docs/handlers.md says.
    private static let longestAsked: Int64 = 2_592_000_000_000_000

    /// Full jitter (between nothing and the whole backoff) spreads jobs that failed together.
    /// - Parameters:
    ///   - failures: attempts that failed so far, at least 1.
    ///   - asked: the handler's own "not before", in milliseconds; 0: none.
    package func delay(afterFailures failures: Int, asked: UInt32, using generator: inout SeededGenerator) -> Int64 {
        if asked > 0 { return min(Int64(asked) * 1_000_000, Self.longestAsked) }
        let doublings = Int64(min(max(failures - 1, 0), 62))
        // Compared before it is doubled, which might be more than 63 bits hold.
        let backoff =
            baseNanoseconds > maximumNanoseconds >> doublings ? maximumNanoseconds : baseNanoseconds << doublings
        return Int64.random(in: 0...max(backoff, 0), using: &generator)
    }
}
