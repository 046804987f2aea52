/// The clock on the wall, which people and programs step. Durations must not care.
struct WallClock {
    private let start: Int64
    /// Microseconds that it is ahead of the true time.
    private var ahead: Int64 = 0
    /// It gains a tenth of the time from then on.
    private var runsFastSince: Int64?
    /// How far it ever was from the true time, either way.
    private(set) var mostAhead: Int64 = 0
    private(set) var mostBehind: Int64 = 0

    init(start: Int64) { self.start = start }

    func microseconds(at now: Int64) -> Int64 { start + now / 1_000 + ahead(at: now) }

    private func ahead(at now: Int64) -> Int64 { ahead + (runsFastSince.map { (now - $0) / 10_000 } ?? 0) }

    mutating func step(by microseconds: Int64, at now: Int64) {
        ahead = ahead(at: now) + microseconds
        if runsFastSince != nil { runsFastSince = now }
        note(now)
    }

    mutating func runFast(from now: Int64) { if runsFastSince == nil { runsFastSince = now } }

    /// Set to the true time.
    mutating func heal(at now: Int64) {
        note(now)
        ahead = 0
        runsFastSince = nil
    }

    private mutating func note(_ now: Int64) {
        mostAhead = max(mostAhead, ahead(at: now))
        mostBehind = max(mostBehind, -ahead(at: now))
    }
}
