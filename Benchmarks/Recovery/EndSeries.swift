/// Jobs that ended, over time, as the journal has them: how many in each commit.
package struct EndSeries: Sendable, Equatable {
    /// Microseconds since 1970, rising.
    private var times: [Int64] = []
    /// How many had ended up to the time in the same place.
    private var sums: [Int] = []

    package init() {}

    /// - Parameter ends: when a commit was made, and how many jobs ended in it; in any order.
    package init(_ ends: [(at: Int64, count: Int)]) {
        for end in ends.sorted(by: { $0.at < $1.at }) {
            times.append(end.at)
            sums.append((sums.last ?? 0) + end.count)
        }
    }

    /// Jobs of several kinds together.
    package init(sumOf parts: [EndSeries]) {
        self.init(parts.flatMap { part in part.times.indices.map { (part.times[$0], part.ended(at: $0)) } })
    }

    private func ended(at index: Int) -> Int { sums[index] - (index > 0 ? sums[index - 1] : 0) }

    package func count(_ range: Range<Int64>) -> Int { upTo(range.upperBound) - upTo(range.lowerBound) }

    /// Jobs a second.
    package func rate(_ range: Range<Int64>) -> Double {
        range.isEmpty ? 0 : Double(count(range)) * 1_000_000 / Double(range.upperBound - range.lowerBound)
    }

    /// How many had ended before a time.
    private func upTo(_ time: Int64) -> Int {
        var low = 0
        var high = times.count
        while low < high {
            let middle = (low + high) / 2
            if times[middle] < time { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? 0 : sums[low - 1]
    }
}
