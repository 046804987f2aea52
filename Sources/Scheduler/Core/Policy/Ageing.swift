/// How a low priority gets its turn under steady work of higher ones.
///
/// The highest priority goes first. But one pick in `everyNth` goes to a lower one whose next job has
/// waited longer than `after`: so nothing starves, and an old backlog does not overtake everything that
/// is newer, as it would if waiting jobs rose from level to level.
package struct Ageing: Sendable {
    package var afterNanoseconds: Int64 = 30_000_000_000
    package var everyNth: UInt32 = 8

    package init() {}

    /// Whether the pick of this number looks at what waits below the highest priority.
    package func isTurn(_ pick: UInt32) -> Bool { everyNth > 0 && pick % everyNth == everyNth - 1 }
}

/// A time in four bytes, for records that there are millions of: steps of 4.2 ms that wrap after 208 days.
package struct Ticks: Sendable, Equatable {
    private var value: UInt32

    package init(_ monotonic: Int64) { value = UInt32(truncatingIfNeeded: monotonic >> 22) }

    package func isBefore(_ other: Ticks) -> Bool { Int32(bitPattern: value &- other.value) < 0 }

    package func nanoseconds(until later: Ticks) -> Int64 { Int64(later.value &- value) << 22 }

    /// What `init` leaves out of a time, in units of 64 ns.
    package static func rest(_ monotonic: Int64) -> UInt16 { UInt16(truncatingIfNeeded: monotonic >> 6) }

    /// To 64 ns, for who kept the rest too.
    package func nanoseconds(rest: UInt16, until later: Int64) -> Int64 {
        nanoseconds(until: Ticks(later)) + (Int64(Self.rest(later)) - Int64(rest)) << 6
    }
}
