/// How many retries a kind may have: a share of its first attempts, and a small constant rate; beyond it
/// retries wait. So an outage of a kind is not made worse by the retries that it causes.
///
/// A retry that succeeds gives back what it took, and one more: once the outage is over, the retries that
/// waited go on faster and faster.
package struct RetryBudget: Sendable {
    package struct Settings: Sendable, Equatable {
        /// Retries for each first attempt.
        package var share = 0.2
        package var perSecond = 10.0
        /// Retries that may gather while none is needed.
        package var burst = 100
        package init() {}
    }

    /// One retry is a million units, so that shares and rates are whole numbers.
    private static let retry: Int64 = 1_000_000

    private var share: Int64 = 0
    private var perMillisecond: Int64 = 0
    private var most: Int64 = 0
    private var level: Int64 = 0
    /// Up to when the constant rate was paid in.
    private var paid: Int64 = 0

    /// It begins full: a restart must not hold retries back.
    package init(_ settings: Settings, at time: Int64) {
        take(settings)
        level = most
        paid = time
    }

    private mutating func take(_ settings: Settings) {
        share = Int64(settings.share * Double(Self.retry))
        perMillisecond = Int64(settings.perSecond * Double(Self.retry) / 1_000)
        most = Int64(max(settings.burst, 1)) * Self.retry
    }

    package mutating func change(to settings: Settings) {
        take(settings)
        level = min(level, most)
    }

    @inline(__always)
    package mutating func firstAttempt() { level = min(most, level + share) }

    package mutating func retrySucceeded() { level = min(most, level + 2 * Self.retry) }

    /// Takes one retry out, if there is one.
    package mutating func take(at time: Int64) -> Bool {
        let milliseconds = max(0, time - paid) / 1_000_000
        paid += milliseconds * 1_000_000
        // What fills the budget is enough of any time: a product of a long rest and a high rate overflows.
        let needed = perMillisecond > 0 ? (most - level) / perMillisecond + 1 : 0
        level = min(most, level + min(milliseconds, needed) * perMillisecond)
        guard level >= Self.retry else { return false }
        level -= Self.retry
        return true
    }

    /// When the constant rate alone will allow the next one; nil: it never will.
    package var nextAt: Int64? {
        guard perMillisecond > 0 else { return nil }
        return paid + max(0, (Self.retry - level + perMillisecond - 1) / perMillisecond) * 1_000_000
    }
}
