import StatexProtocol

/// One open job: ids and metadata, never the payload. 104 bytes.
package struct JobRecord: Sendable {
    package var id: UInt64 = 0
    /// The counter of its live lease's token; 0: no lease.
    package var token: UInt64 = 0
    /// Where its payload is: the commit that wrote it, and where in that commit's slab.
    package var payloadBatch: UInt64 = 0
    package var payloadStart: UInt32 = 0
    package var payloadLength: UInt32 = 0
    /// Neighbours in the one list that it is in: a ready queue, or its worker's leases. -1: none.
    package var next: Int32 = -1
    package var previous: Int32 = -1
    /// The worker that holds the lease, or -1.
    package var worker: Int32 = -1
    package var kind: Int32 = 0
    package var tenant: Int32 = 0
    /// The ready queue that it belongs to, and its lane there while it is queued.
    package var queue: Int32 = 0
    package var lane: Int32 = -1
    /// When it first was ready: it keeps that age when it is retried, returned or stolen.
    package var since = Ticks(0)
    /// And what `since` leaves out: jobs may be over in less than one of its ticks.
    package var sinceRest: UInt16 = 0
    /// When it got its live lease.
    package var leasedAt = Ticks(0)
    /// The run time that its tenant and its worker were charged for the live lease, in microseconds.
    package var expected: UInt32 = 0
    /// The client session that wants the result; 0: none. More of them stand in `Waits`.
    package var waiter: UInt32 = 0
    package var runLimit: UInt32 = 0
    /// Its request's place in `RequestTallies`, if that has several jobs.
    var tally = RequestTallies.single
    package var index: UInt16 = 0
    package var count: UInt16 = 1
    package var failures: UInt8 = 0
    package var losses: UInt8 = 0
    package var steals: UInt8 = 0
    package var attemptsAllowed: UInt8 = 1
    package var priority: UInt8 = 0
    package var encoding: UInt8 = 0
    package var state: JobState = .queued
    package var flags: Flags = []

    package struct Flags: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        /// A user wants it stopped; its worker was told.
        package static let cancelling = Flags(rawValue: 1)
        /// Its deadline passed while it ran; its worker was told.
        package static let expiring = Flags(rawValue: 2)
        /// Its worker came back and has not yet said that it still holds it.
        package static let unclaimed = Flags(rawValue: 4)
        /// More clients than `waiter` wait for it.
        package static let hasMoreWaits = Flags(rawValue: 8)
        /// Its worker was asked to give it back for one that is idle.
        package static let stealing = Flags(rawValue: 16)
        /// It was ready before: `since` stands.
        package static let wasReady = Flags(rawValue: 32)
        /// A client follows it: its worker is to report how far it is.
        package static let followed = Flags(rawValue: 4_096)
        /// An attempt handed a checkpoint over, for the next one.
        package static let hasCheckpoint = Flags(rawValue: 8_192)
        /// A checkpoint of it is on its way to the journal.
        package static let checkpointing = Flags(rawValue: 16_384)
        /// Its request has a `RequestGraph`: it waits for other jobs, or they for it.
        package static let inGraph = Flags(rawValue: 256)
        /// It is delayed past its time: its kind's retry budget is used up.
        package static let heldRetry = Flags(rawValue: 64)
        /// It names a key, see `Affinity`.
        package static let hasAffinity = Flags(rawValue: 32_768)
        /// It runs in a batch that another began, and takes no slot of its own.
        package static let joinsBatch = Flags(rawValue: 512)
        /// Its first attempt was counted in its kind's retry budget, also if that came back unstarted.
        package static let hasPaidBudget = Flags(rawValue: 1_024)
        /// It retries a dead letter by hand: `retries` knows of which request.
        package static let isRetry = Flags(rawValue: 2_048)
        /// A slot in use.
        package static let inUse = Flags(rawValue: 128)
    }

    /// It is ready for the first time.
    mutating func setReady(at now: Now) {
        flags.insert(.wasReady)
        since = Ticks(now.monotonic)
        sinceRest = Ticks.rest(now.monotonic)
    }

    /// Nanoseconds since it first was ready.
    func age(at now: Now) -> Int64 { since.nanoseconds(rest: sinceRest, until: now.monotonic) }

    /// Counted from 1: attempts that failed or were lost before this one, and it.
    package var attempt: UInt16 { UInt16(failures) + UInt16(losses) + 1 }
}

/// All open jobs: slots that are reused, and a way from an id to its slot.
///
/// Ids are dense in pages, so the way is an array of 4,096 slots a page instead of a hash of each id.
package struct JobTable: ~Copyable {
    private var records: [JobRecord] = []
    private var free: [Int32] = []
    /// Where a page's slots begin in `pageSlots`.
    private var pages: [UInt64: Int32] = [:]
    private var pageSlots: [Int32] = []
    private var freePages: [Int32] = []
    private var pageOpen: [Int32] = []
    private var lastPage: UInt64 = .max
    private var lastStart: Int32 = 0

    package private(set) var count = 0
    private static let pageSize = 4_096

    package init() {}

    package subscript(slot: Int32) -> JobRecord {
        @inline(__always) get { records[Int(slot)] }
        @inline(__always) _modify { yield &records[Int(slot)] }
    }

    /// The slot of an open job, or nil.
    @inline(__always)
    package mutating func slot(of id: UInt64) -> Int32? {
        guard let start = pageStart(id >> JobID.pageBits) else { return nil }
        let slot = pageSlots[Int(start) + Int(id & 0xFFF)]
        return slot < 0 ? nil : slot
    }

    @inline(__always)
    private mutating func pageStart(_ page: UInt64) -> Int32? {
        if page == lastPage { return lastStart }
        guard let start = pages[page] else { return nil }
        lastPage = page
        lastStart = start
        return start
    }

    package mutating func insert(_ record: JobRecord) -> Int32 {
        let page = record.id >> JobID.pageBits
        let start = pageStart(page) ?? addPage(page)
        let slot: Int32
        if let reused = free.popLast() {
            slot = reused
            records[Int(slot)] = record
        } else {
            slot = Int32(records.count)
            records.append(record)
        }
        records[Int(slot)].flags.insert(.inUse)
        pageSlots[Int(start) + Int(record.id & 0xFFF)] = slot
        pageOpen[Int(start) / Self.pageSize] += 1
        count += 1
        return slot
    }

    /// Forgets a job that is final and durable.
    /// - Returns: its page if that has no open job left.
    package mutating func remove(_ slot: Int32) -> UInt64? {
        let id = records[Int(slot)].id
        let page = id >> JobID.pageBits
        guard let start = pageStart(page) else { preconditionFailure("an open job without a page") }
        precondition(pageSlots[Int(start) + Int(id & 0xFFF)] == slot, "two slots for one job")
        pageSlots[Int(start) + Int(id & 0xFFF)] = -1
        records[Int(slot)] = JobRecord()
        free.append(slot)
        count -= 1
        let number = Int(start) / Self.pageSize
        pageOpen[number] -= 1
        return pageOpen[number] == 0 ? page : nil
    }

    /// Whether a page has no open job.
    package mutating func isEmpty(page: UInt64) -> Bool {
        guard let start = pageStart(page) else { return true }
        return pageOpen[Int(start) / Self.pageSize] == 0
    }

    /// Gives the room of an empty page back.
    package mutating func drop(page: UInt64) {
        guard let start = pages.removeValue(forKey: page) else { return }
        precondition(pageOpen[Int(start) / Self.pageSize] == 0)
        if lastPage == page { lastPage = .max }
        freePages.append(start)
    }

    private mutating func addPage(_ page: UInt64) -> Int32 {
        let start: Int32
        if let reused = freePages.popLast() {
            start = reused
        } else {
            start = Int32(pageSlots.count)
            pageSlots.append(contentsOf: repeatElement(-1, count: Self.pageSize))
            pageOpen.append(0)
        }
        pages[page] = start
        lastPage = page
        lastStart = start
        return start
    }

    /// Every slot in use, in slot order; for invariants and status, not for a hot path.
    package func visit(_ body: (Int32, JobRecord) -> Void) {
        for (slot, record) in records.enumerated() where record.flags.contains(.inUse) { body(Int32(slot), record) }
    }
}
