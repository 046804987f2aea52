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
    /// The last start that came late: what was used before it time has given back.
    private var busySince: Int64 = 0
    /// How far starts since then ran ahead of time at the least: so much of an older one is still used.
    private var leastAhead = Int64.max

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
        busySince = now
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

    package mutating func started(at time: Int64) {
        guard interval > 0 else { return }
        if nextOnTime > time {
            leastAhead = min(leastAhead, nextOnTime - time)
        } else {
            busySince = time
            leastAhead = .max
        }
        nextOnTime = max(nextOnTime, time) + interval
    }

    /// A start of then did not happen: its job came back unstarted. What of it time has given back meanwhile is not
    /// given once more.
    package mutating func undone(startedAt start: Ticks) {
        guard interval > 0, !start.isBefore(Ticks(busySince)) else { return }
        let back = min(interval, leastAhead)
        nextOnTime -= back
        if leastAhead < .max { leastAhead -= back }
    }
}
