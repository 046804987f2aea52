import StatexPostgres

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

extension EndSeries {
    /// Final outcomes of each kind that were committed since a time.
    package static func byKind(from start: Int64, _ url: String) throws(PostgresError) -> [String: EndSeries] {
        let connection = try Connection(url, name: "statex bench")
        let rows = try connection.query(
            """
            SELECT n.name, c.at, count(*) FROM statex.outcome_chunks c
            CROSS JOIN LATERAL unnest(c.offsets, c.ends) AS e(slot, ends)
            JOIN statex.jobs j ON j.id = (c.page << 12) | e.slot
            JOIN statex.names n ON n.number = j.kind
            WHERE c.at >= \(start) AND e.ends >> 8 > 0 GROUP BY 1, 2
            """, doing: "read outcomes")
        var ends: [String: [(at: Int64, count: Int)]] = [:]
        for row in 0..<rows.rows {
            ends[rows.text(row, 0), default: []].append((rows.integer(row, 1), Int(rows.integer(row, 2))))
        }
        return ends.mapValues { EndSeries($0) }
    }
}
