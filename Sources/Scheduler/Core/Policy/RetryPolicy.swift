/// When a failed attempt is tried again: exponential backoff with full jitter.
package struct RetryPolicy: Sendable, Equatable {
    package var baseNanoseconds: Int64 = 1_000_000_000
    package var maximumNanoseconds: Int64 = 600_000_000_000

    package init() {}

    /// Full jitter (between nothing and the whole backoff) spreads jobs that failed together.
    /// - Parameters:
    ///   - failures: attempts that failed so far, at least 1.
    ///   - asked: the handler's own "not before", in milliseconds; 0: none.
    package func delay(afterFailures failures: Int, asked: UInt32, using generator: inout SeededGenerator) -> Int64 {
        if asked > 0 { return min(Int64(asked) * 1_000_000, 86_400_000_000_000) }
        let doublings = min(max(failures - 1, 0), 30)
        let backoff = min(maximumNanoseconds, baseNanoseconds << Int64(doublings))
        return Int64.random(in: 0...max(backoff, 0), using: &generator)
    }
}
