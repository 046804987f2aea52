import StatexProtocol

/// Everything that one commit writes, and what may be said once it is durable.
///
/// The core fills it while the commit before it is under way; the journal shell writes it; the core
/// reads the second half when it is committed. One of them holds it at a time.
package final class CommitBatch {
    /// What the chain row says.
    package struct Head: Sendable {
        package var batch: UInt64 = 0
        package var shard: UInt8 = 0
        package var incarnation: UInt64 = 0
        package var epoch: UInt32 = 0
        package var at: Int64 = 0
        package var nextID: UInt64 = 0
        package var nextToken: UInt64 = 0
        package var nextName: UInt32 = 0

        package init() {}

        package init(_ head: ChainHead, shard: UInt8, at: Int64) {
            batch = head.batch
            self.shard = shard
            incarnation = head.incarnation
            epoch = head.epoch
            self.at = at
            nextID = head.nextID
            nextToken = head.nextToken
            nextName = head.nextName
        }
    }

    /// What events say of a row's job, kept with the row while the job is at hand: to look it up again when the commit
    /// is durable costs more than all else about an event. Not written.
    package struct Subject: Sendable, Equatable {
        package var kind: Int32
        package var tenant: Int32
        package var index: UInt16
        package var count: UInt16

        package init(kind: Int32, tenant: Int32, index: UInt16, count: UInt16) {
            self.kind = kind
            self.tenant = tenant
            self.index = index
            self.count = count
        }
    }

    package struct JobRow: Sendable {
        package var id: UInt64
        package var opts: UInt64
        package var kind: UInt32
        package var tenant: UInt32
        package var payloadStart: Int
        package var payloadLength: Int
        /// nil: to be looked up.
        package var subject: Subject?

        package init(
            id: UInt64, opts: UInt64, kind: UInt32, tenant: UInt32, payloadStart: Int, payloadLength: Int,
            subject: Subject? = nil
        ) {
            self.id = id
            self.opts = opts
            self.kind = kind
            self.tenant = tenant
            self.payloadStart = payloadStart
            self.payloadLength = payloadLength
            self.subject = subject
        }
    }

    package struct OptionsRow: Sendable {
        package var id: UInt64
        package var options: JobOptions
        /// The numbers of the labels' names.
        package var labels: [UInt32]
        /// Of a retry by hand: the dead letter, and the request that both belong to.
        package var retryOf: UInt64?
        package var request: UInt64?

        package init(
            id: UInt64, options: JobOptions, labels: [UInt32], retryOf: UInt64? = nil, request: UInt64? = nil
        ) {
            self.id = id
            self.options = options
            self.labels = labels
            self.retryOf = retryOf
            self.request = request
        }
    }

    /// Whose lease an outcome ended, and which attempt it was. Not written: the lease's own row has it.
    package struct EndedLease: Sendable, Equatable {
        package var worker: UInt32
        package var workerIndex: Int32
        package var attempt: UInt16

        /// The job ended without one.
        package static let none = EndedLease(worker: 0, workerIndex: -1, attempt: 0)

        package init(worker: UInt32, workerIndex: Int32, attempt: UInt16) {
            self.worker = worker
            self.workerIndex = workerIndex
            self.attempt = attempt
        }
    }

    package struct LeaseRow: Sendable {
        package var id: UInt64
        package var token: UInt64
        /// The number of the worker incarnation's name.
        package var worker: UInt32
        package var attempt: UInt16
        // What sending it needs.
        package var slot: Int32
        package var workerIndex: Int32
        package var subject: Subject?

        package init(
            id: UInt64, token: UInt64, worker: UInt32, attempt: UInt16, slot: Int32, workerIndex: Int32,
            subject: Subject? = nil
        ) {
            self.id = id
            self.token = token
            self.worker = worker
            self.attempt = attempt
            self.slot = slot
            self.workerIndex = workerIndex
            self.subject = subject
        }
    }

    package struct OutcomeRow: Sendable {
        package var id: UInt64
        package var token: UInt64
        /// Seconds before the commit's time.
        package var started: Float
        package var ended: Float
        /// Seconds after the commit's time; negative: no retry is due.
        package var retry: Float
        package var ending: Ending
        /// nil: not the job's final outcome.
        package var final: JobState?
        /// Index into `results`, or -1.
        package var result: Int32
        package var slot: Int32
        package var lease: EndedLease
        package var subject: Subject?

        /// In place of a slot: the journal refused the job's content, so the job ends with its own commit.
        package static let refusedAtCommit: Int32 = -1

        package init(
            id: UInt64, token: UInt64, started: Float, ended: Float, retry: Float, ending: Ending, final: JobState?,
            result: Int32, slot: Int32, lease: EndedLease = .none
        ) {
            self.id = id
            self.token = token
            self.lease = lease
            self.started = started
            self.ended = ended
            self.retry = retry
            self.ending = ending
            self.final = final
            self.result = result
            self.slot = slot
        }
    }

    package struct ResultRow: Sendable {
        package var job: UInt64
        package var token: UInt64
        package var ending: Ending
        package var encoding: UInt8
        package var start: Int
        package var length: Int

        package init(job: UInt64, token: UInt64, ending: Ending, encoding: UInt8, start: Int, length: Int) {
            self.job = job
            self.token = token
            self.ending = ending
            self.encoding = encoding
            self.start = start
            self.length = length
        }
    }

    package struct CheckpointRow: Sendable {
        package var job: UInt64
        package var token: UInt64
        /// Where its data stands in `resultBytes`.
        package var start: Int
        package var length: Int
        // What answering it needs.
        package var slot: Int32
        package var worker: Int32
        package var session: UInt32

        package init(
            job: UInt64, token: UInt64, start: Int, length: Int, slot: Int32 = 0, worker: Int32 = 0, session: UInt32 = 0
        ) {
            self.job = job
            self.token = token
            self.start = start
            self.length = length
            self.slot = slot
            self.worker = worker
            self.session = session
        }
    }

    package struct NameRow: Sendable {
        package var number: UInt32
        package var family: NameFamily
        package var name: String

        package init(number: UInt32, family: NameFamily, name: String) {
            self.number = number
            self.family = family
            self.name = name
        }
    }

    package struct SubmitRow: Sendable {
        package var producer: Producer
        package var sequence: UInt64
        package var count: UInt32
        package var firstID: UInt64
        package var jobsEach: UInt16
    }

    package struct KeyRow: Sendable {
        package var tenant: UInt32
        package var key: [UInt8]
        package var digest: [UInt8]
        package var request: UInt64
        package var jobs: UInt16
    }

    package struct ActionRow: Sendable {
        package var action: String
        package var who: String
        package var ids: [UInt64]
        package var reached: UInt32
        /// Of an operator's order: its filter as JSON, why it was given, and who numbered it, by which it is
        /// known when it comes again, with its answer.
        package var filter: String?
        package var note = ""
        package var sender: Producer?
        package var reply: OrderReply?

        package init(action: String, who: String, ids: [UInt64], reached: UInt32) {
            self.action = action
            self.who = who
            self.ids = ids
            self.reached = reached
        }
    }

    /// A due time of a schedule that is settled. Job 0: it has none, or the schedule was first seen then.
    package struct ScheduleRow: Sendable, Equatable {
        package var schedule: String
        /// Microseconds since 1970.
        package var due: Int64
        package var job: UInt64
    }

    // What is written.
    package var head = Head()
    package var jobs: [JobRow] = []
    package var options: [OptionsRow] = []
    package var leases: [LeaseRow] = []
    package var outcomes: [OutcomeRow] = []
    package var results: [ResultRow] = []
    package var checkpoints: [CheckpointRow] = []
    package var names: [NameRow] = []
    package var submits: [SubmitRow] = []
    package var keys: [KeyRow] = []
    package var actions: [ActionRow] = []
    package var schedules: [ScheduleRow] = []
    package var pagesClosed: [UInt64] = []
    package var payloads = PayloadSlab()
    package var resultBytes = ByteBuffer(capacity: 4_096)

    // What is said once it is durable.
    package struct Accepted: Sendable {
        package var client: UInt32
        package var run: AcceptedRun
    }
    package struct Durable: Sendable {
        package var worker: Int32
        package var session: UInt32
        package var id: UInt64
        package var token: UInt64
    }
    package struct Cancelled: Sendable {
        package var client: UInt32
        package var record: CancelRecord
    }
    package struct Ordered: Sendable {
        package var client: UInt32
        package var reply: OrderReply
    }
    package var accepted: [Accepted] = []
    package var durable: [Durable] = []
    package var cancelled: [Cancelled] = []
    package var ordered: [Ordered] = []
    /// Asked of the journal once everything before them is durable.
    package var outcomeLookups: [Outbox.OutcomeLookup] = []
    /// Other journals that peers believed: a commit proves that they are over.
    package var formerJournals: [UInt64] = []

    package init() {}

    /// Something must be committed.
    package var hasRows: Bool {
        !jobs.isEmpty || !outcomes.isEmpty || !leases.isEmpty || !actions.isEmpty || !schedules.isEmpty || !keys.isEmpty
            || !names.isEmpty
            || !pagesClosed.isEmpty || !accepted.isEmpty || !durable.isEmpty || !cancelled.isEmpty
            || !outcomeLookups.isEmpty || !checkpoints.isEmpty || !formerJournals.isEmpty
    }

    /// Empties it for the next commit, keeping its storage. The payload slab stays with whoever caches it.
    package func reset() {
        head = Head()
        jobs.removeAll(keepingCapacity: true)
        options.removeAll(keepingCapacity: true)
        leases.removeAll(keepingCapacity: true)
        outcomes.removeAll(keepingCapacity: true)
        results.removeAll(keepingCapacity: true)
        checkpoints.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        submits.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        actions.removeAll(keepingCapacity: true)
        schedules.removeAll(keepingCapacity: true)
        pagesClosed.removeAll(keepingCapacity: true)
        accepted.removeAll(keepingCapacity: true)
        durable.removeAll(keepingCapacity: true)
        cancelled.removeAll(keepingCapacity: true)
        ordered.removeAll(keepingCapacity: true)
        outcomeLookups.removeAll(keepingCapacity: true)
        formerJournals.removeAll(keepingCapacity: true)
        payloads = PayloadSlab()
        resultBytes.removeAll()
    }
}

/// The families of numbered names; the numbers are in SQL.
package enum NameFamily: UInt8, Sendable {
    case kind = 1
    case tenant = 2
    case worker = 3
    case label = 4
}

/// The payloads of one commit, one after another. The journal writes them from here, and the broker
/// keeps the slab for a while so that leases need not read them back.
package final class PayloadSlab {
    package var buffer = ByteBuffer(capacity: 64)
    package init() {}
}

/// Packs and unpacks the `opts` column of `statex.jobs` (see `config/sql/0001_journal.sql`).
package enum JobOpts {
    package static func pack(
        index: UInt16, count: UInt16, priority: UInt8, attempts: UInt8, encoding: UInt8, hasOptions: Bool
    ) -> UInt64 {
        UInt64(index) | UInt64(count) << 12 | UInt64(priority) << 25 | UInt64(attempts) << 33 | UInt64(encoding & 15)
            << 41
            | (hasOptions ? 1 << 45 : 0)
    }
    package static func index(_ opts: UInt64) -> UInt16 { UInt16(opts & 0xFFF) }
    package static func count(_ opts: UInt64) -> UInt16 { UInt16(opts >> 12 & 0x1FFF) }
    package static func priority(_ opts: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: opts >> 25) }
    package static func attempts(_ opts: UInt64) -> UInt8 { UInt8(truncatingIfNeeded: opts >> 33) }
    package static func encoding(_ opts: UInt64) -> UInt8 { UInt8(opts >> 41 & 15) }
    package static func hasOptions(_ opts: UInt64) -> Bool { opts >> 45 & 1 == 1 }
}
