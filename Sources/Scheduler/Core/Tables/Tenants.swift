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
        let due = nanoseconds - overcharged
        overcharged = due < 0 ? -due : 0
        if due > 0 { pass += max(1, due &* 1_000 / weight) }
    }

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
