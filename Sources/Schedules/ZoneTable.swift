/// What a time zone's clocks show, over some decades, as plain values: so that who computes with it needs
/// no tables of the machine, and gets the same everywhere.
package struct ZoneTable: Sendable, Equatable {
    package struct Change: Sendable, Equatable {
        /// Seconds since 1970.
        package var at: Int64
        /// Seconds east of Greenwich from then on.
        package var offset: Int64

        package init(at: Int64, offset: Int64) {
            self.at = at
            self.offset = offset
        }
    }

    package let name: String
    /// Before the first change.
    private let first: Int64
    private let changes: [Change]

    /// - Parameter changes: by rising time, no two within a day and a half of each other.
    package init(name: String, first: Int64, changes: [Change]) {
        self.name = name
        self.first = first
        self.changes = changes
    }

    package static let utc = ZoneTable(name: "UTC", first: 0, changes: [])

    package func offset(at time: Int64) -> Int64 { offset(before: firstChange(after: time)) }

    private func offset(before change: Int) -> Int64 { change == 0 ? first : changes[change - 1].offset }

    private func firstChange(after time: Int64) -> Int {
        var low = 0
        var high = changes.count
        while low < high {
            let middle = (low + high) / 2
            if changes[middle].at <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// What a local time means.
    enum Reading: Equatable {
        case once(Int64)
        /// The clock was set back over it.
        case twice(Int64, Int64)
        /// The clock was set forward over it, at that moment.
        case never(gapEnd: Int64)
    }

    /// - Parameter local: what the clock shows, as seconds since 1970 would be in Greenwich.
    func reading(of local: Int64) -> Reading {
        // Offsets lie between -12 and +14 hours: the moment is within this window.
        let next = firstChange(after: local - 15 * 3_600)
        let before = offset(before: next)
        guard next < changes.count, changes[next].at <= local + 13 * 3_600 else { return .once(local - before) }
        let change = changes[next]
        let (early, late) = (local - before, local - change.offset)
        switch (early < change.at, late >= change.at) {
        case (true, true): return early == late ? .once(early) : .twice(early, late)
        case (true, false): return .once(early)
        case (false, true): return .once(late)
        case (false, false): return .never(gapEnd: change.at)
        }
    }
}
