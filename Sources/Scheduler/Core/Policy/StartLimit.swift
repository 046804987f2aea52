/// At most so many running, and at most so many starts a second: what an operator may set for a kind
/// or for a tenant.
///
/// The rate is the generic cell rate algorithm (ITU-T I.371): one time says all that a token bucket's
/// level would. Its clock is the core's.
package struct StartLimit: Sendable {
    package enum Verdict: Sendable, Equatable {
        case open
        /// As many run as may.
        case full(limit: Int)
        /// The bucket is empty until this time, in nanoseconds of the monotonic clock.
        case until(Int64)
    }

    /// Live leases at most; nil: any number.
    package private(set) var running: Int?
    /// Nanoseconds from one start to the next; 0: no rate is set.
    package private(set) var interval: Int64 = 0
    /// How far starts may run ahead of their times: a burst of B takes B - 1 intervals.
    private var tolerance: Int64 = 0
    /// When the next start would be on time.
    private var nextOnTime: Int64 = 0
    /// The lease of the latest start, and what `nextOnTime` was before it.
    private var latest: UInt64 = 0
    private var beforeLatest: Int64 = 0

    package init() {}

    /// - Parameters:
    ///   - perSecond: starts a second, above 0; nil: no rate.
    ///   - burst: starts that may come at once after a rest, at least 1.
    ///   - now: the bucket is empty then, for nobody knows what was started before.
    package init(running: Int?, perSecond: Double?, burst: Int, at now: Int64) {
        self.running = running
        guard let perSecond, perSecond > 0 else { return }
        interval = Int64(max(1, 1_000_000_000 / perSecond))
        tolerance = Int64(max(burst, 1) - 1) * interval
        nextOnTime = now + tolerance + interval
    }

    /// Takes new bounds over without giving a second burst: the bucket keeps its level.
    package mutating func change(to other: StartLimit) {
        let ahead = nextOnTime
        let hadRate = interval > 0
        self = other
        // The latest start was measured by the old rate: it stays counted.
        if hadRate { nextOnTime = min(nextOnTime, max(ahead, nextOnTime - tolerance - interval)) }
    }

    @inline(__always)
    package var isSet: Bool { running != nil || interval > 0 }

    package func verdict(running now: Int, at time: Int64) -> Verdict {
        if let running, now >= running { return .full(limit: running) }
        if interval > 0, time < nextOnTime - tolerance { return .until(nextOnTime - tolerance) }
        return .open
    }

    package mutating func started(_ token: UInt64, at time: Int64) {
        guard interval > 0 else { return }
        beforeLatest = nextOnTime
        latest = token
        nextOnTime = max(nextOnTime, time) + interval
    }

    /// A start that did not happen: its job came back unstarted. Only the latest can be taken back: what one
    /// before it used may have come back by time already, and would come back twice.
    package mutating func undone(_ token: UInt64) {
        guard token != 0, latest == token else { return }
        nextOnTime = beforeLatest
        latest = 0
    }
}
