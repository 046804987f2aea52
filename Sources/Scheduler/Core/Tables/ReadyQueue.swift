import StatexProtocol

/// The jobs that wait for a slot and that the same workers can take: one kind, one set of labels; and apart from the
/// others those that were in a worker that was lost, once and more often.
///
/// Inside, a *lane* for each tenant and priority, first in, first out. A heap for each priority orders
/// the lanes by their tenants' passes. A key in a heap may be behind its tenant's pass (a pass only
/// rises), so the top is corrected when it is looked at and nothing is searched for.
package struct ReadyQueue: Sendable {
    /// Whose turn it is.
    package struct Choice: Sendable {
        package var slot: Int32
        package var lane: Int32
        /// The priority that it goes by; one whose turn came by age goes first of all.
        package var level: UInt8
        package var pass: Int64
    }
    struct Lane: Sendable {
        var jobs = JobList()
        var tenant: Int32 = 0
        var level: UInt8 = 0
        /// It stands in a heap, or with its tenant's parked lanes.
        var isListed = false
        /// The job that came back last, or one before it: many come back together, and stand together. -1: none.
        var cameBack: Int32 = -1

        mutating func remove(_ slot: Int32, in table: inout JobTable) {
            if slot == cameBack { cameBack = table[slot].previous }
            jobs.remove(slot, in: &table)
        }
    }
    package let kind: Int32
    package let labels: LabelSet
    package let suspicion: Suspicion
    /// Two for each priority: lanes of tenants without limits, and of those with some.
    private var heaps = [LaneHeap](repeating: LaneHeap(), count: 2 * Limits.priorities)
    /// One bit for each heap that is not empty.
    private var occupied: UInt32 = 0
    private var lanes: [Lane] = []
    private var freeLanes: [Int32] = []
    private var laneOf: [UInt64: Int32] = [:]
    private var lastKey: UInt64 = .max
    private var lastLane: Int32 = 0
    private var picks: UInt32 = 0
    package private(set) var count = 0
    /// The fleet that has no worker for it.
    var unservedBy: UInt64 = 0
    /// No worker had room for it in this round of dispatch.
    var skippedInRound: UInt64 = 0
    var takers = Takers()

    package init(kind: Int32, labels: LabelSet = .none, suspicion: Suspicion = .none) {
        self.kind = kind
        self.labels = labels
        self.suspicion = suspicion
    }

    // MARK: In and out

    /// A new job stands at the end of its lane.
    package mutating func append(
        _ slot: Int32, isLimited: Bool, pass: Int64, in jobs: inout JobTable
    ) {
        let lane = lane(of: jobs[slot].tenant, level: jobs[slot].priority)
        jobs[slot].lane = lane
        lanes[Int(lane)].jobs.append(slot, in: &jobs)
        count += 1
        if !lanes[Int(lane)].isListed { list(lane, isLimited: isLimited, pass: pass) }
    }

    /// A job that had its turn before (retried, returned, stolen, lost) keeps its age.
    package mutating func insertByAge(
        _ slot: Int32, isLimited: Bool, pass: Int64, in jobs: inout JobTable
    ) {
        let lane = lane(of: jobs[slot].tenant, level: jobs[slot].priority)
        jobs[slot].lane = lane
        lanes[Int(lane)].jobs.insertByAge(slot, near: lanes[Int(lane)].cameBack, in: &jobs)
        lanes[Int(lane)].cameBack = slot
        count += 1
        if !lanes[Int(lane)].isListed { list(lane, isLimited: isLimited, pass: pass) }
    }

    package mutating func remove(_ slot: Int32, in jobs: inout JobTable) {
        lanes[Int(jobs[slot].lane)].remove(slot, in: &jobs)
        count -= 1
    }

    func tenant(ofLane lane: Int32) -> Int32 { lanes[Int(lane)].tenant }

    /// A lane that waited for its tenant may go on.
    mutating func unpark(_ lane: Int32, pass: Int64) { list(lane, isLimited: true, pass: pass) }

    private mutating func list(_ lane: Int32, isLimited: Bool, pass: Int64) {
        lanes[Int(lane)].isListed = true
        let heap = 2 * Int(lanes[Int(lane)].level) + (isLimited ? 1 : 0)
        heaps[heap].push(pass: pass, lane: lane)
        occupied |= 1 << UInt32(heap)
    }

    private mutating func lane(of tenant: Int32, level: UInt8) -> Int32 {
        let key = UInt64(UInt32(bitPattern: tenant)) << 8 | UInt64(level)
        if key == lastKey { return lastLane }
        let lane = laneOf[key] ?? addLane(tenant, level, key)
        lastKey = key
        lastLane = lane
        return lane
    }

    private mutating func addLane(_ tenant: Int32, _ level: UInt8, _ key: UInt64) -> Int32 {
        let lane = freeLanes.popLast() ?? Int32(lanes.count)
        if Int(lane) == lanes.count { lanes.append(Lane()) }
        lanes[Int(lane)].tenant = tenant
        lanes[Int(lane)].level = level
        laneOf[key] = lane
        return lane
    }

    /// Gives an empty lane's room back, so that tenants of long ago cost nothing.
    private mutating func forget(_ lane: Int32) {
        let key = UInt64(UInt32(bitPattern: lanes[Int(lane)].tenant)) << 8 | UInt64(lanes[Int(lane)].level)
        laneOf[key] = nil
        if lastKey == key { lastKey = .max }
        lanes[Int(lane)] = Lane()
        freeLanes.append(lane)
    }

    /// How long the job has been ready that is so the longest: one that is the first of its lane.
    func longestWait(in jobs: borrowing JobTable, at now: Now) -> Int64 {
        guard count > 0 else { return 0 }
        var longest: Int64 = 0
        for lane in lanes where !lane.jobs.isEmpty { longest = max(longest, jobs[lane.jobs.head].age(at: now)) }
        return longest
    }

    // MARK: Whose turn

    /// The job that goes next.
    package mutating func next(
        ageing: Ageing, at now: Now, queue: Int32, tenants: inout Tenants, jobs: borrowing JobTable
    ) -> Choice? {
        guard count > 0 else { return nil }
        let isAgeingTurn = ageing.isTurn(picks)
        var best: Choice?
        var longestWait: Int64 = 0
        var left = occupied
        while left != 0 {
            let level = left.trailingZeroBitCount / 2
            left &= ~(3 << UInt32(2 * level))
            guard let top = top(level, now, queue, &tenants) else { continue }
            guard isAgeingTurn else { return top }
            guard best != nil else {
                best = top
                continue
            }
            let waited = jobs[top.slot].since.nanoseconds(until: Ticks(now.monotonic))
            guard waited >= ageing.afterNanoseconds, waited > longestWait else { continue }
            longestWait = waited
            best = top
            best?.level = 0
        }
        return best
    }

    private mutating func top(
        _ level: Int, _ now: Now, _ queue: Int32, _ tenants: inout Tenants
    ) -> Choice? {
        let open = top(ofHeap: 2 * level, now, queue, &tenants)
        guard let limited = top(ofHeap: 2 * level + 1, now, queue, &tenants) else { return open }
        guard let open else { return limited }
        return (limited.pass, limited.slot) < (open.pass, open.slot) ? limited : open
    }

    /// The top of a heap once it is right: no empty lane, no pass that has risen, no tenant that may not.
    private mutating func top(
        ofHeap heap: Int, _ now: Now, _ queue: Int32, _ tenants: inout Tenants
    ) -> Choice? {
        guard occupied & 1 << UInt32(heap) != 0 else { return nil }
        while let entry = heaps[heap].first {
            let lane = Int(entry.lane)
            let tenant = lanes[lane].tenant
            if lanes[lane].jobs.isEmpty {
                heaps[heap].removeFirst()
                forget(entry.lane)
            } else if entry.pass < tenants[tenant].pass {
                heaps[heap].replaceFirst(pass: tenants[tenant].pass)
            } else if heap & 1 == 1, !tenants[tenant].mayStart(at: now.monotonic) {
                heaps[heap].removeFirst()
                tenants.park(ParkedLane(queue: queue, lane: entry.lane), tenant)
            } else {
                return Choice(
                    slot: lanes[lane].jobs.head, lane: entry.lane, level: UInt8(heap / 2), pass: entry.pass)
            }
        }
        occupied &= ~(1 << UInt32(heap))
        return nil
    }

    /// Sorts all lanes anew: which tenants are limited has changed, and no lane is parked.
    mutating func relist(_ tenants: borrowing Tenants) {
        for heap in heaps.indices { heaps[heap].removeAll() }
        occupied = 0
        for lane in lanes.indices where lanes[lane].isListed {
            let tenant = tenants[lanes[lane].tenant]
            list(Int32(lane), isLimited: tenant.isLimited, pass: tenant.pass)
        }
    }

    /// Takes the job that `next` chose.
    package mutating func take(_ choice: Choice, in jobs: inout JobTable) {
        lanes[Int(choice.lane)].remove(choice.slot, in: &jobs)
        count -= 1
        picks &+= 1
    }
}

/// The workers that have room for a queue's jobs in one round of dispatch, taken in turn.
struct Takers: Sendable {
    private(set) var round: UInt64 = 0
    private var workers: [Int32] = []
    private var place = 0

    var next: Int32? { workers.isEmpty ? nil : workers[place] }

    mutating func begin(round: UInt64) {
        self.round = round
        workers.removeAll(keepingCapacity: true)
        place = 0
    }

    mutating func add(_ worker: Int32) { workers.append(worker) }
    mutating func advance() { place = place + 1 < workers.count ? place + 1 : 0 }

    mutating func drop() {
        workers.remove(at: place)
        if place >= workers.count { place = 0 }
    }
}

extension JobList {
    /// Inserts by id, looking a bounded number of steps from three places: the job that came back last, the front (a job
    /// that had its turn is older than nearly all that wait) and the end. Many that come back in any order that rises or
    /// falls find their places; of others, beyond so many steps, the order is not kept: a long walk would cost more.
    fileprivate mutating func insertByAge(_ slot: Int32, near last: Int32, in jobs: inout JobTable) {
        let id = jobs[slot].id
        if last >= 0, let place = jobs[last].id < id ? after(last, id, jobs) : before(last, id, jobs) {
            return insert(slot, at: place, in: &jobs)
        }
        guard head >= 0, jobs[head].id < id else { return prepend(slot, in: &jobs) }
        let place = after(head, id, jobs) ?? before(tail, id, jobs) ?? jobs[head].next
        insert(slot, at: place, in: &jobs)
    }

    private static let steps = 64

    /// Where an id belongs behind a lower one: before which job, -1: at the end; nil: far from here.
    private func after(_ lower: Int32, _ id: UInt64, _ jobs: borrowing JobTable) -> Int32? {
        var place = jobs[lower].next
        for _ in 0..<Self.steps {
            guard place >= 0, jobs[place].id < id else { return place }
            place = jobs[place].next
        }
        return nil
    }

    /// The same before a higher one.
    private func before(_ higher: Int32, _ id: UInt64, _ jobs: borrowing JobTable) -> Int32? {
        var place = higher
        guard jobs[place].id > id else { return -1 }
        for _ in 0..<Self.steps {
            let previous = jobs[place].previous
            guard previous >= 0, jobs[previous].id > id else { return place }
            place = previous
        }
        return nil
    }

    private mutating func insert(_ slot: Int32, at place: Int32, in jobs: inout JobTable) {
        if place < 0 { append(slot, in: &jobs) } else { insert(slot, before: place, in: &jobs) }
    }
}
