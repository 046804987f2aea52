import CLinux
import StatexSchedulerCore
import Synchronization

/// The time of a twin: the machine's, or one that a test moves.
final class TwinClock: Sendable {
    /// Ten years: far from where sums of nanoseconds overflow.
    static let longestStep = Duration.seconds(3_653 * 86_400)
    /// Manual time ends here, 36 years on.
    private static let end: Int64 = 1 << 60

    private let start: Now
    /// Nanoseconds since the start; nil: the machine's time.
    private let moved: Mutex<Int64?>

    init(isManual: Bool) {
        start = Self.machine
        moved = Mutex(isManual ? 0 : nil)
    }

    private static var machine: Now {
        Now(monotonic: clinux_monotonic_nanoseconds(), wall: clinux_wall_microseconds())
    }

    var isManual: Bool { moved.withLock { $0 != nil } }

    var now: Now {
        guard let moved = moved.withLock({ $0 }) else { return Self.machine }
        return Now(monotonic: start.monotonic + moved, wall: start.wall + moved / 1_000)
    }

    /// When so much time has passed.
    func time(after nanoseconds: Int64, from monotonic: Int64) -> Int64 {
        min(monotonic + nanoseconds, start.monotonic + Self.end)
    }

    /// Moves a manual clock on; one never goes back.
    func move(to monotonic: Int64) {
        moved.withLock { moved in
            if let before = moved { moved = max(before, monotonic - start.monotonic) }
        }
    }
}
