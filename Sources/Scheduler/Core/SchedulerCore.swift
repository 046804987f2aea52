import StatexMetrics
import StatexProtocol

/// The scheduler's decisions: an event and the time go in, rows and effects come out.
///
/// The broker shell calls it from its one thread; the simulator calls the same type. It reads no
/// clock, opens nothing, draws chance only from its own seeded generator, holds no payload, and
/// iterates no dictionary or set. What may be said only after a commit stands in that commit's
/// `CommitBatch` until `journalCommitted`; everything else leaves through the `Outbox` at once.
package struct SchedulerCore: ~Copyable {
    /// One kind of jobs: its name's number, its ready queues (one for each set of labels that its jobs
    /// require), its limits, and what is known of its run times.
    struct KindRecord: Sendable {
        var name: String
        var number: UInt32
        var queues: [Int32] = []
        var queued = 0
        var leased = 0
        var blocked = 0
        /// All open ones, and those of them whose final outcome is on its way to the journal.
        var open = 0
        var ending = 0
        var counts = JobCounts()
        var run = RunTime()
        var policy = Policies.Kind()
        var limit = StartLimit()
        var circuit = Circuit(Policies.Kind().circuit)
        var budget = RetryBudget(Policies.Kind().budget, at: 0)
        /// Delayed jobs whose time has come, but not their kind's budget; the oldest first.
        var heldRetries = JobList()
        var retriesWakeAt: Int64 = 0
        /// Attempts that succeeded since the start.
        var successes: UInt64 = 0
        var pausedBy: String?
        /// Some worker runs several of its jobs together.
        var hasBatches = false
        /// The time of its last timer, so that one wait for the rate sets one.
        var wakesAt: Int64 = 0
        /// The tenant that it counts for: nobody else vouches for it. -1: none.
        var broughtBy: Int32 = -1

        init(name: String, number: UInt32) {
            self.name = name
            self.number = number
        }
    }
    struct ClientRecord: Sendable {
        var producer: Producer
        var name: String
    }

    package let settings: CoreSettings
    package let incarnation: UInt64
    package let epoch: UInt32

    var generator: SeededGenerator
    var jobs = JobTable()
    var kinds: [KindRecord] = []
    var kindIndices: [String: Int32] = [:]
    var tenants = Tenants()
    var queues: [ReadyQueue] = []
    var labelSets = LabelSets()
    var workers = Workers()
    var clients: [UInt32: ClientRecord] = [:]
    var waits = Waits()
    var questions = Questions()
    /// Jobs that the journal is being asked about for clients.
    var lookupsUnderway = 0
    /// Clients that want to hear how far a job is, and wait for it too.
    var followers = Waits()
    /// The keys of those open jobs that name one.
    var affinities: [UInt64: AffinityKey] = [:]
    var producers = Producers()
    var userKeys = UserKeys()
    var uniqueKeys = UniqueKeys()
    /// By the request's id, for the few that have dependencies.
    var graphs: [UInt64: RequestGraph] = [:]
    /// Of requests of several jobs.
    var tallies = RequestTallies()
    /// The requests that open retries by hand belong to, by their own ids.
    var retries: [UInt64: UInt64] = [:]
    var names = Names()
    var timers = Timers()
    /// The worker incarnations that jobs were asked back for.
    var stolenFor: [UInt64: UInt64] = [:]
    /// Of the few jobs that were lost with a worker.
    var lostWith: [UInt64: JobLosses] = [:]

    /// Where the next ids and tokens come from; they stand in each chain row.
    var hour: UInt64
    var idCounter: UInt64
    var nextToken: UInt64
    /// Leases below it were given by former owners.
    let firstToken: UInt64
    /// Tokens below it were given in commits that are durable.
    var durableToken: UInt64
    var nextBatch: UInt64

    var gathering = CommitBatch()
    var underway: CommitBatch?
    var spare: CommitBatch?
    package var committedBatch: UInt64
    /// What peers believed before this journal.
    var formerJournals: [UInt64] = []
    var policies: Policies
    /// What schedules did, those of former configurations too, and when they are looked at next.
    var scheduled: [String: ScheduleProgress] = [:]
    var nextLookAtSchedules: Int64?
    var pauses = Pauses()
    var desk = OrderDesk()
    /// Worker incarnations that operators drain: one for each such order.
    var drained: Set<UInt64> = []
    /// Round robin over workers starts here.
    var dispatchStart: Int32 = 0
    var dispatchRound: UInt64 = 0
    /// Kinds, or kinds in one worker, that were found to fail every time since the last dispatch.
    var tripped: [(kind: Int32, worker: Int32?)] = []
    /// The level of the most urgent job that found no worker in this round.
    var mostUrgentSkipped = UInt8.max
    /// The queues that the round looks at.
    var inRound: [Int32] = []
    /// Some of them are of suspects, whose place among the others of their kind holds from job to job.
    var roundHasSuspects = false
    /// Changes whenever a worker comes, goes or says anew what it serves.
    var fleet: UInt64 = 1
    /// How often a queue had its turn, for ageing between queues.
    var turns: UInt32 = 0
    /// All that is open.
    var backlog = Backlog()
    /// Jobs in all ready queues.
    var queued = 0
    /// Jobs that wait for others.
    var blocked = 0
    /// Retries that wait for the budgets of their kinds.
    var heldRetries = 0
    package var counts = CoreCounts()
    /// Somebody subscribes to events.
    package var tellsEvents = false
    /// Those of the commit that became durable last.
    package internal(set) var events = CommitEvents()
    /// The last commit that had events, or may have had: none were made. And that of before `events`.
    package internal(set) var lastTold: UInt64
    package internal(set) var toldBefore: UInt64
    var workerEvents: [WorkerEvent] = []
    var workerEventsMade: UInt64 = 0
    /// Workers that are gone while rows that name them wait for the journal, through which commit.
    var departed: [(number: UInt32, name: String, until: UInt64)] = []
    package var refusals = SchedulerSnapshot.Refusals()
    /// Never read. A struct that holds an existential is passed by its address; without one, each call that only reads
    /// may begin with a copy of it all, near 2 KB, and several fall to each job (docs/decisions/0016).
    private let passedByAddress: any Sendable = ()

    /// A core for a journal whose chain ends at `head`; `recovered` follows before any other event.
    package init(_ settings: CoreSettings, head: ChainHead, seed: UInt64) {
        self.settings = settings
        policies = settings.policies
        incarnation = head.incarnation
        epoch = head.epoch
        generator = SeededGenerator(seed: seed)
        let next = JobID(rawValue: head.nextID)
        hour = next.hour
        idCounter = head.nextID & (1 << JobID.counterBits - 1)
        nextToken = max(head.nextToken, 1)
        firstToken = nextToken
        durableToken = nextToken
        nextBatch = head.batch + 1
        committedBatch = head.batch
        lastTold = head.batch
        toldBefore = head.batch
        names.restore(next: head.nextName)
    }

    // MARK: Ids and names

    /// The first of `count` ids in a row.
    mutating func allocateIDs(_ count: Int, at now: Now) -> UInt64 {
        let wallHour = UInt64(max(now.wall, 0)) / 3_600_000_000
        let before = rawID(idCounter) >> JobID.pageBits
        // Never back: a clock that steps back reissues nothing.
        if wallHour > hour, wallHour < 1 << JobID.hourBits {
            hour = wallHour
            idCounter = 0
        }
        let first = rawID(idCounter)
        idCounter += UInt64(count)
        // Only a new hour leaves a page for good: else these very jobs are about to stand in it.
        if first >> JobID.pageBits != before { closeIfEmpty(page: before) }
        return first
    }

    func rawID(_ counter: UInt64) -> UInt64 {
        hour << (JobID.shardBits + JobID.counterBits) | UInt64(settings.shard) << JobID.counterBits | counter
    }

    /// A page that gets no more ids and has no open job is recorded as closed: recovery skips it.
    mutating func closeIfEmpty(page: UInt64) {
        guard page < rawID(idCounter) >> JobID.pageBits, jobs.isEmpty(page: page) else { return }
        jobs.drop(page: page)
        gathering.pagesClosed.append(page)
    }

    mutating func kindIndex(_ name: String, at now: Now) -> Int32 {
        if let index = kindIndices[name] { return index }
        return addKind(KindRecord(name: name, number: number(.kind, name)), at: now)
    }

    mutating func addKind(_ record: KindRecord, at now: Now) -> Int32 {
        let index = Int32(kinds.count)
        kinds.append(record)
        kinds[Int(index)].follow(policies.kind(record.name), at: now)
        kinds[Int(index)].pausedBy = pauses[.kind(record.name)]
        kindIndices[record.name] = index
        return index
    }

    mutating func tenantIndex(_ name: String, at now: Now) -> Int32 {
        tenants.index(of: name) ?? addTenant(TenantRecord(name: name, number: number(.tenant, name)), at: now)
    }

    mutating func addTenant(_ record: TenantRecord, at now: Now) -> Int32 {
        let index = tenants.add(record)
        tenants[index].pausedBy = pauses[.tenant(record.name)]
        tenants[index].follow(policies.tenant(record.name), at: now)
        return index
    }

    mutating func number(_ family: NameFamily, _ name: String) -> UInt32 {
        let (number, isNew) = names.number(family, name)
        if isNew { gathering.names.append(CommitBatch.NameRow(number: number, family: family, name: name)) }
        return number
    }

    // MARK: Time

    /// The loop sleeps until then, or for ever.
    package var nextDeadline: Int64? {
        var soonest = timers.nextDue
        if let look = nextLookAtSchedules { soonest = min(soonest ?? .max, look) }
        for index in workers.indices where workers.isPresent(index) {
            soonest = min(soonest ?? .max, workers[index].deadline)
        }
        return soonest
    }

    /// Ends leases whose time is up and wakes jobs that are due.
    package mutating func tick(at now: Now, into out: inout Outbox) {
        for index in workers.indices where workers.isPresent(index) && workers[index].deadline <= now.monotonic {
            workerGone(index, ending: .lost, at: now)
        }
        if let look = nextLookAtSchedules, look <= now.monotonic { lookAtSchedules(at: now) }
        while let entry = timers.popDue(at: now.monotonic) {
            switch entry.purpose {
            case .ready:
                if let slot = liveSlot(of: entry), jobs[slot].state == .delayed { delayEnded(slot, at: now) }
            case .deadline:
                if let slot = liveSlot(of: entry) { deadlinePassed(slot, at: now, into: &out) }
            case .tenantRate: unpark(entry.slot)
            // To be awake is enough: dispatch follows.
            case .kind, .worker: break
            }
        }
    }

    /// Sets a timer. Those of jobs that are gone are never more than a few times the open jobs.
    mutating func wake(_ entry: Timers.Entry) {
        if timers.count >= 4 * jobs.count + 1_024 { timers.compact(against: &jobs) }
        timers.add(entry)
    }

    private mutating func liveSlot(of entry: Timers.Entry) -> Int32? {
        guard let slot = jobs.slot(of: entry.id), slot == entry.slot else { return nil }
        return slot
    }
}

/// The end of a journal's chain, as its reader found it.
package struct ChainHead: Sendable, Equatable {
    package var batch: UInt64
    package var incarnation: UInt64
    package var epoch: UInt32
    package var nextID: UInt64
    package var nextToken: UInt64
    package var nextName: UInt32

    package init(batch: UInt64, incarnation: UInt64, epoch: UInt32, nextID: UInt64, nextToken: UInt64, nextName: UInt32)
    {
        self.batch = batch
        self.incarnation = incarnation
        self.epoch = epoch
        self.nextID = nextID
        self.nextToken = nextToken
        self.nextName = nextName
    }

    /// The row that takes a restored journal as it is: another incarnation, and ids that were never given.
    ///
    /// Jobs that were lost had ids that somebody still asks for. An hour that has not come is past them; and a
    /// page in it by chance, because one backup may be restored twice.
    package func adopted(as incarnation: UInt64, at wall: Int64) -> ChainHead {
        let last = JobID(rawValue: nextID)
        let hour = max(UInt64(max(wall, 0)) / 3_600_000_000, last.hour) + 1
        let shard = last.rawValue >> JobID.counterBits & (1 << JobID.shardBits - 1)
        // In the lower half of the hour's pages, so that there is room behind it.
        let page = incarnation % (1 << (JobID.counterBits - JobID.pageBits - 1))
        var head = self
        head.batch += 1
        head.epoch += 1
        head.incarnation = incarnation
        head.nextID = JobID(hour: hour, shard: shard, counter: page << JobID.pageBits)?.rawValue ?? nextID
        return head
    }
}

/// What happened since the start, for status.
package struct CoreCounts: Sendable {
    package var submitted: UInt64 = 0
    package var repeated: UInt64 = 0
    package var duplicates: UInt64 = 0
    package var refused: UInt64 = 0
    package var leased: UInt64 = 0
    package var succeeded: UInt64 = 0
    package var failed: UInt64 = 0
    package var dead: UInt64 = 0
    package var cancelled: UInt64 = 0
    package var expired: UInt64 = 0
    package var retried: UInt64 = 0
    package var lost: UInt64 = 0
    package var returned: UInt64 = 0
    package var stealsAsked: UInt64 = 0
    package var stolen: UInt64 = 0
    package var stale: UInt64 = 0
    package var staleReports: UInt64 = 0
    package var putOff: UInt64 = 0
    package init() {}
}
