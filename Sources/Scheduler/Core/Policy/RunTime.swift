/// How long jobs of a kind run, learned from their outcomes: an exponential mean over about 16 runs.
package struct RunTime: Sendable {
    /// Stands in until the first run ends.
    package static let unknown: Int64 = 1_000_000

    /// Nanoseconds; 0: nothing ran yet.
    package private(set) var mean: Int64 = 0

    package init() {}

    package var expected: Int64 { mean == 0 ? Self.unknown : mean }

    package mutating func ran(nanoseconds: Int64) {
        // Not below 1 µs: what a job costs besides its run, and a mean of 0 would mean nothing known.
        let run = max(nanoseconds, 1_000)
        mean = mean == 0 ? run : max(1_000, mean + (run - mean) / 16)
    }
}
