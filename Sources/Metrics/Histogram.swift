// Numbers for Prometheus as plain values: what counts is the thread that owns them, without a lock; what
// renders them has a copy. No clock, no socket, no registry: the core and the worker's loop hold these too.

/// How often durations were how long, in fixed buckets.
///
/// One that counted nothing costs no memory: every name that somebody submits may get some.
package struct Histogram: Sendable, Equatable {
    /// Upper bounds in nanoseconds: three a decade, from 0.1 ms (a commit on a good disk takes 0.15 ms) to
    /// almost three hours. The same for all, so that queue wait and run time can be compared.
    package static let bounds: [Int64] = [
        100_000, 250_000, 500_000,
        1_000_000, 2_500_000, 5_000_000,
        10_000_000, 25_000_000, 50_000_000,
        100_000_000, 250_000_000, 500_000_000,
        1_000_000_000, 2_500_000_000, 5_000_000_000,
        10_000_000_000, 25_000_000_000, 50_000_000_000,
        100_000_000_000, 250_000_000_000, 500_000_000_000,
        1_000_000_000_000, 2_500_000_000_000, 5_000_000_000_000,
        10_000_000_000_000,
    ]

    /// One for each bound, and one for what is beyond; empty: nothing was counted.
    private var counts: [UInt64] = []
    package private(set) var count: UInt64 = 0
    /// A whole number would overflow within weeks, if thousands of slots add up what they run.
    private var nanoseconds: Double = 0

    package init() {}

    package var seconds: Double { nanoseconds / 1_000_000_000 }

    /// - Parameter duration: in nanoseconds; one below 0 (a clock's jitter) counts as 0.
    package mutating func add(_ duration: Int64) {
        if counts.isEmpty { counts = [UInt64](repeating: 0, count: Self.bounds.count + 1) }
        counts[Self.bucket(of: duration)] += 1
        count += 1
        nanoseconds += Double(max(duration, 0))
    }

    package mutating func add(_ other: Histogram) {
        guard other.count > 0 else { return }
        guard count > 0 else { return self = other }
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        nanoseconds += other.nanoseconds
    }

    /// How many were at most so long, for each bound and at last for all.
    package var cumulative: [UInt64] {
        guard count > 0 else { return [UInt64](repeating: 0, count: Self.bounds.count + 1) }
        var sum: UInt64 = 0
        return counts.map {
            sum += $0
            return sum
        }
    }

    /// The first bucket whose bound is not below the duration.
    private static func bucket(of duration: Int64) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < duration { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
