import StatexProtocol

/// One tenant: its share, its limits, and how much it had.
///
/// Fairness is start-time fair queueing (Goyal, Vin, Cheng 1996): each lease moves its tenant's `pass`
/// on by the job's expected run time over the tenant's weight, and who is furthest behind goes first.
package struct TenantRecord: Sendable {
    package var name: String
    package var number: UInt32
    /// Thousandths: 1,000 is one share.
    package var weight: Int64 = 1_000
    /// Nanoseconds of run time had so far, over the weight.
    package private(set) var pass: Int64 = 0
    /// Run time charged too much (or too little) before, settled with the next charge: so a pass never
    /// falls, and a heap that is ordered by passes stays right.
    private var overcharged: Int64 = 0
    package var queued = 0
    package var leased = 0
    package var limit = StartLimit()
    package var bounds = Backlog.Bounds()
    /// What it has open.
    package var backlog = Backlog()
    package var pausedBy: String?
    /// New names that its submits brought and that count for it.
    package var kindsBrought = 0
    package var queuesBrought = 0
    /// Lanes that may not go on now: their limits are used up, or the tenant is paused.
    var parked: [ParkedLane] = []

    package init(name: String, number: UInt32) {
        self.name = name
        self.number = number
    }

    /// Whether its limits are looked at when one of its jobs may go.
    package var isLimited: Bool { limit.isSet || pausedBy != nil }

    package func mayStart(at time: Int64) -> Bool {
        pausedBy == nil && limit.verdict(running: leased, at: time) == .open
    }

    /// It has work again: what it did not use while it had none is not saved up.
    mutating func becameActive(at virtualTime: Int64) { pass = max(pass, virtualTime) }

    mutating func charge(_ nanoseconds: Int64) {
        let due = min(nanoseconds, Self.mostCharge) - overcharged
        overcharged = due < 0 ? -due : 0
        if due > 0 { pass = min(Self.mostPass, pass + max(1, due * 1_000 / weight)) }
    }

    /// A day: what one lease is charged at most.
    private static let mostCharge: Int64 = 86_400_000_000_000
    /// Half of the range, so that no charge leaves it.
    private static let mostPass: Int64 = 1 << 62

    /// Counts from another start.
    fileprivate mutating func rebase(by base: Int64) { pass = max(0, pass - base) }

    /// What a lease was charged was too much by so much (or too little, below 0).
    mutating func settle(overcharged more: Int64) {
        // Bounded: one estimate that was wrong by a day must not starve or feed a tenant for one.
        overcharged = max(-60_000_000_000, min(60_000_000_000, overcharged + more))
    }
}

/// All tenants, by the core's numbers.
package struct Tenants: Sendable {
    private var records: [TenantRecord] = []
    private var indices: [String: Int32] = [:]
    /// Whose lanes were parked since the last look: their limits say when they may go on.
    private(set) var newlyParked: [Int32] = []
    /// How far the tenant that went last had got: one that comes with work starts from there.
    private var virtualTime: Int64 = 0
    /// Beyond it passes are counted anew.
    private var farAway = Self.far
    private static let far: Int64 = 1 << 61

    package init() {}

    package subscript(tenant: Int32) -> TenantRecord {
        @inline(__always) get { records[Int(tenant)] }
        @inline(__always) _modify { yield &records[Int(tenant)] }
    }

    package var count: Int { records.count }
    package func index(of name: String) -> Int32? { indices[name] }

    package mutating func add(_ record: TenantRecord) -> Int32 {
        let index = Int32(records.count)
        indices[record.name] = index
        records.append(record)
        return index
    }

    mutating func enqueued(_ tenant: Int32) {
        if records[Int(tenant)].queued == 0 { records[Int(tenant)].becameActive(at: virtualTime) }
        records[Int(tenant)].queued += 1
    }

    /// A lease was given to the tenant whose turn it was.
    mutating func leased(_ tenant: Int32, expected: Int64, at now: Now) {
        virtualTime = max(virtualTime, records[Int(tenant)].pass)
        records[Int(tenant)].queued -= 1
        records[Int(tenant)].leased += 1
        records[Int(tenant)].charge(expected)
        records[Int(tenant)].limit.started(at: now.monotonic)
    }

    /// Whether somebody's pass comes near the end of the range: a tenant of a small weight whose jobs take hours.
    var areFar: Bool { virtualTime >= farAway }

    /// Counts all passes from where the last of those with work is; heaps that are ordered by them are to be made anew.
    mutating func rebase() {
        var base = virtualTime
        for record in records where record.queued > 0 { base = min(base, record.pass) }
        for index in records.indices { records[index].rebase(by: base) }
        virtualTime -= base
        // One that nobody can serve may hold the start back: not again at once.
        farAway = max(Self.far, virtualTime + Self.far / 8)
    }

    mutating func park(_ lane: ParkedLane, _ tenant: Int32) {
        if records[Int(tenant)].parked.isEmpty { newlyParked.append(tenant) }
        records[Int(tenant)].parked.append(lane)
    }

    mutating func takeNewlyParked() -> [Int32] {
        defer { newlyParked.removeAll(keepingCapacity: true) }
        return newlyParked
    }

    /// Takes a tenant's parked lanes out, to be listed again. What its own limit kept it from is not
    /// saved up either.
    mutating func takeParked(_ tenant: Int32) -> [ParkedLane] {
        guard !records[Int(tenant)].parked.isEmpty else { return [] }
        records[Int(tenant)].becameActive(at: virtualTime)
        defer { records[Int(tenant)].parked.removeAll(keepingCapacity: true) }
        return records[Int(tenant)].parked
    }
}

/// A lane that waits for its tenant.
struct ParkedLane: Sendable {
    var queue: Int32
    var lane: Int32
}
