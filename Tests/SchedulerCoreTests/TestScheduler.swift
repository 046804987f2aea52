import StatexProtocol

@testable import StatexSchedulerCore

/// A scheduler core with scripted clients, workers and journal, and a virtual clock. Every step checks
/// the core's invariants.
final class TestScheduler {
    /// What a test submits as one job.
    struct Job {
        var kind = "text"
        var tenant = "acme"
        var priority: UInt8 = 5
        var attempts: UInt8 = 3
        var options = JobOptions()
        var payload: [UInt8] = [1, 2, 3]
    }

    /// What a commit wrote, after the batch went back to the core.
    struct Written {
        var head: CommitBatch.Head
        var jobs: [CommitBatch.JobRow]
        var options: [CommitBatch.OptionsRow]
        var leases: [CommitBatch.LeaseRow]
        var outcomes: [CommitBatch.OutcomeRow]
        var results: [CommitBatch.ResultRow]
        var checkpoints: [CommitBatch.CheckpointRow]
        /// The bodies of those results that are errors.
        var errors: [ErrorText]
        var names: [CommitBatch.NameRow]
        var submits: [CommitBatch.SubmitRow]
        var keys: [CommitBatch.KeyRow]
        var actions: [CommitBatch.ActionRow]
        var schedules: [CommitBatch.ScheduleRow]
        var pagesClosed: [UInt64]

        init(_ batch: CommitBatch) {
            head = batch.head
            jobs = batch.jobs
            options = batch.options
            leases = batch.leases
            outcomes = batch.outcomes
            results = batch.results
            checkpoints = batch.checkpoints
            let bytes = batch.resultBytes.array()
            errors = batch.results.filter { $0.ending != .succeeded }.compactMap {
                try? ErrorText(reading: bytes[$0.start..<$0.start + $0.length].span.bytes)
            }
            names = batch.names
            submits = batch.submits
            keys = batch.keys
            actions = batch.actions
            schedules = batch.schedules
            pagesClosed = batch.pagesClosed
        }
    }

    struct Worker: Equatable {
        var index: Int32
        var session: UInt32
    }

    static let incarnation: UInt64 = 77
    static let hour: UInt64 = 480_000
    static let firstID = hour << (JobID.shardBits + JobID.counterBits)
    static let second: Int64 = 1_000_000_000

    var core: SchedulerCore
    var out = Outbox()
    var now = Now(monotonic: 1_000 * second, wall: Int64(hour) * 3_600_000_000 + 60_000_000)
    private(set) var journal: [Written] = []
    /// What subscribers were told.
    private(set) var events: [CommitEvent] = []
    private var sessions: UInt32 = 0

    init(head: ChainHead? = nil, seed: UInt64 = 1, _ change: (inout CoreSettings) -> Void = { _ in }) {
        var settings = CoreSettings()
        change(&settings)
        core = SchedulerCore(settings, head: head ?? Self.emptyJournal, seed: seed)
    }

    static var emptyJournal: ChainHead {
        ChainHead(batch: 1, incarnation: incarnation, epoch: 1, nextID: firstID, nextToken: 1, nextName: 1)
    }

    // MARK: Time

    func tick(after nanoseconds: Int64 = 0) {
        now.monotonic += nanoseconds
        now.wall += nanoseconds / 1_000
        core.tick(at: now, into: &out)
        core.validate()
    }

    // MARK: The journal

    /// Hands the next commit out; nil: there is nothing to write, or one is under way.
    ///
    /// - Parameter change: what the journal's shell does to the batch before it writes it.
    @discardableResult
    func take(_ change: (CommitBatch) -> Void = { _ in }) -> Written? {
        core.dispatch(at: now, into: &out)
        guard let batch = core.takeBatch(at: now) else { return nil }
        change(batch)
        let written = Written(batch)
        journal.append(written)
        core.validate()
        return written
    }

    /// The commit under way became durable.
    func committed() {
        if let batch = core.journalCommitted(at: now, into: &out) {
            if core.tellsEvents { events += core.events.all }
            core.recycle(batch)
        }
        core.validate()
    }

    /// The commit under way never happens: its owner is gone.
    func loseCommit() { journal.removeLast() }

    @discardableResult
    func commit() -> Written? {
        let written = take()
        if written != nil { committed() }
        return written
    }

    /// Commits until there is nothing more to write.
    func settle() {
        for _ in 0..<20 where commit() != nil {}
    }

    var leases: [CommitBatch.LeaseRow] { journal.flatMap(\.leases) }
    /// The leases that a worker was given and has not ended, in their order.
    func held(by worker: Worker) -> [CommitBatch.LeaseRow] {
        let ended = Set(outcomes.map(\.token))
        return leases.filter { $0.workerIndex == worker.index && !ended.contains($0.token) }
    }

    var outcomes: [CommitBatch.OutcomeRow] { journal.flatMap(\.outcomes) }
    var errors: [ErrorText] { journal.flatMap(\.errors) }

    // MARK: Clients

    @discardableResult
    func client(_ producer: UInt64 = 1, known runs: [Producers.Run] = []) -> UInt32 {
        sessions += 1
        let producer = Producer(high: 9, low: producer)
        if !core.knowsProducer(producer) { core.producerLoaded(producer, runs: runs) }
        _ = core.clientJoined(sessions, producer: producer, name: "client")
        return sessions
    }

    /// Requests of these jobs, one after the other in one message.
    func submit(
        _ requests: [[Job]], sequence: UInt64, client: UInt32, notify: Bool = false,
        keys: [UserKeys.Use?] = [], unique: [UniqueKeys.Use?] = [], busy: String? = nil
    ) throws {
        var writer = SubmitWriter()
        for request in requests {
            for (index, job) in request.enumerated() {
                var options = ByteBuffer()
                job.options.write(to: &options)
                writer.append(
                    SubmitJob(
                        kind: writer.number(of: job.kind), tenant: writer.number(of: job.tenant),
                        index: UInt16(index), count: UInt16(request.count), priority: job.priority,
                        attempts: job.attempts),
                    options: options.bytes, payload: job.payload.span.bytes)
            }
        }
        var message = writer.finish(notify: notify)
        SubmitMessage.setFirstSequence(sequence, in: &message)
        let bytes = message.span.bytes
        var batch = SubmitBatch()
        try batch.read(bytes, header: try Header(reading: bytes))
        var keyed: [KeyedRequest] = []
        var first = 0
        for (number, request) in requests.enumerated() {
            if request[0].options.userKey != nil || request[0].options.unique != nil {
                keyed.append(
                    KeyedRequest(
                        job: first, digest: request[0].payload, known: number < keys.count ? keys[number] : nil,
                        knownUnique: number < unique.count ? unique[number] : nil))
            }
            first += request.count
        }
        core.submitted(batch, bytes: bytes, client: client, keyed: keyed, busy: busy, at: now, into: &out)
        core.validate()
    }

    func submit(_ job: Job = Job(), sequence: UInt64, client: UInt32, notify: Bool = false) throws {
        try submit([[job]], sequence: sequence, client: client, notify: notify)
    }

    func cancel(_ id: UInt64, isRequest: Bool = false, client: UInt32) {
        core.cancelOrdered(
            [CancelRecord(JobID(rawValue: id), isRequest: isRequest)], client: client, at: now, into: &out)
        core.validate()
    }

    /// - Returns: whether the core had room for the question.
    @discardableResult
    func await(
        _ id: UInt64, isRequest: Bool = false, waits: Bool = true, follows: Bool = false, times: Int = 1,
        answers: Bool = true,
        client: UInt32
    ) -> Bool {
        let record = AwaitRecord(JobID(rawValue: id), isRequest: isRequest, waits: waits, follows: follows)
        guard core.awaited([AwaitRecord](repeating: record, count: times), client: client) else { return false }
        if answers { core.answerQuestions(into: &out) }
        return true
    }

    // MARK: Workers

    func hello(
        _ incarnation: UInt64, slots: Int = 2, kinds: [String] = ["text"], labels: [String] = [],
        batch: (size: UInt16, waitMilliseconds: UInt16) = (1, 0),
        resources: [ResourceAmount] = []
    ) -> Worker {
        sessions += 1
        var hello = Hello(role: .worker, incarnation: incarnation, name: "w\(incarnation)")
        hello.slots = UInt16(slots)
        hello.kinds = kinds.map {
            Hello.Kind($0, batchSize: batch.size, batchWaitMilliseconds: batch.waitMilliseconds)
        }
        hello.labels = labels
        hello.resources = resources
        let joined = core.workerJoined(hello, session: sessions, at: now)
        core.validate()
        return Worker(index: joined.index, session: sessions)
    }

    /// A worker that is ready to work.
    func worker(
        _ incarnation: UInt64, credit: Int = 2, slots: Int = 2, kinds: [String] = ["text"], labels: [String] = [],
        batch: (size: UInt16, waitMilliseconds: UInt16) = (1, 0), resources: [ResourceAmount] = []
    ) -> Worker {
        let worker = hello(
            incarnation, slots: slots, kinds: kinds, labels: labels, batch: batch, resources: resources)
        offer(credit, worker)
        return worker
    }

    func offer(_ credit: Int, _ worker: Worker) {
        core.creditOffered(credit, worker: worker.index, session: worker.session, at: now)
        core.validate()
    }

    func report(
        _ lease: CommitBatch.LeaseRow, _ ending: Ending = .succeeded, retryable: Bool = true, body: [UInt8] = [],
        retryAfter: UInt32 = 0, ranMicroseconds: UInt64 = 1_000, tokensOf: UInt64 = TestScheduler.incarnation,
        by worker: Worker
    ) {
        var record = OutcomeRecord(id: JobID(rawValue: lease.id), token: lease.token, ending: ending)
        record.retryable = retryable
        record.bodyLength = UInt32(body.count)
        record.retryAfterMilliseconds = retryAfter
        record.ranMicroseconds = ranMicroseconds
        core.outcomesReported(
            [record], bytes: body.span.bytes, tokensOf: tokensOf, worker: worker.index, session: worker.session,
            at: now, into: &out)
        core.validate()
    }

    /// Reports that all of these succeeded, in one message.
    func succeed(_ leases: some Collection<CommitBatch.LeaseRow>, by worker: Worker) {
        let records = leases.map { OutcomeRecord(id: JobID(rawValue: $0.id), token: $0.token, ending: .succeeded) }
        core.outcomesReported(
            records, bytes: [UInt8]().span.bytes, tokensOf: Self.incarnation, worker: worker.index,
            session: worker.session, at: now, into: &out)
        core.validate()
    }

    /// The worker says how far a job is.
    func tell(
        _ lease: CommitBatch.LeaseRow, _ fraction: Double, _ text: String, _ piece: String = "", offset: UInt64 = 0,
        tokensOf: UInt64 = TestScheduler.incarnation, by worker: Worker
    ) {
        var record = ProgressRecord(JobID(rawValue: lease.id), token: lease.token, offset: offset)
        record.fraction = ProgressRecord.fraction(of: fraction)
        record.textLength = UInt16(text.utf8.count)
        record.pieceLength = UInt32(piece.utf8.count)
        core.progressReported(
            [record], bytes: Array((text + piece).utf8).span.bytes, tokensOf: tokensOf, worker: worker.index,
            session: worker.session, at: now, into: &out)
        core.validate()
    }

    func handOver(
        _ lease: CommitBatch.LeaseRow, checkpoint: [UInt8], tokensOf: UInt64 = TestScheduler.incarnation,
        by worker: Worker
    ) {
        let record = CheckpointRecord(JobID(rawValue: lease.id), token: lease.token, length: checkpoint.count)
        core.checkpointsHandedOver(
            [record], bytes: checkpoint.span.bytes, tokensOf: tokensOf, worker: worker.index, session: worker.session,
            at: now)
        core.validate()
    }

    func claim(_ leases: [CommitBatch.LeaseRow], tokensOf: UInt64 = TestScheduler.incarnation, by worker: Worker) {
        core.leasesClaimed(
            leases.map { TokenRecord(JobID(rawValue: $0.id), token: $0.token) }, tokensOf: tokensOf,
            worker: worker.index, session: worker.session, at: now, into: &out)
        core.validate()
    }

    /// The worker has started these: it keeps them.
    func keep(_ records: [TokenRecord], by worker: Worker) {
        core.leasesKept(
            records, tokensOf: Self.incarnation, worker: worker.index, session: worker.session, at: now)
        core.validate()
    }

    func disconnect(_ worker: Worker) {
        core.workerDisconnected(worker.index, session: worker.session, at: now)
        core.validate()
    }

    func leave(_ worker: Worker) {
        core.workerLeft(worker.index, session: worker.session, at: now, into: &out)
        core.validate()
    }

    func hear(_ worker: Worker) { core.workerHeard(worker.index, session: worker.session, at: now) }

    // MARK: How things stand

    func circuit(_ kind: Int32 = 0) -> Circuit.State { core.circuit(ofKind: kind, at: now) }
    func quarantine(_ worker: Worker, kind: Int32 = 0) -> Circuit.State {
        core.quarantine(of: worker.index, kind: kind, at: now)
    }
    func retriesHeld(_ kind: Int32 = 0) -> (count: Int, until: Int64?)? { core.retriesHeld(ofKind: kind) }
    var queues: [SchedulerCore.QueueStatus] { core.queueStatus(at: now) }

    // MARK: What left

    /// The leases that left since the last call, as LEASES records.
    func sentLeases() -> [LeaseRecord] {
        defer { out.leases.removeAll() }
        return out.leases.compactMap { core.leaseContent($0)?.record }
    }

    /// The finals that left since the last call: client, job, state.
    func finals() -> [(client: UInt32, id: UInt64, state: JobState?)] {
        defer { out.finals.removeAll() }
        return out.finals.map { ($0.client, $0.record.id.rawValue, $0.record.state) }
    }

    /// What clients heard of running jobs since the last call: client, attempt, words and piece.
    func told() -> [(client: UInt32, attempt: UInt16, words: String)] {
        defer {
            out.progress.removeAll()
            out.progressBytes.removeAll()
        }
        return out.progress.map {
            ($0.client, $0.record.attempt, String(decoding: out.progressBytes[$0.bytes], as: UTF8.self))
        }
    }

    var hasQuestions: Bool { core.hasQuestions }
    var timers: Int { core.timers.count }
    var delayedJobs: Int { core.delayedJobs }

    /// The tokens that workers were asked to report on since the last call.
    func follows() -> [UInt64] {
        defer { out.follows.removeAll() }
        return out.follows.map(\.record.token)
    }

    /// What a new owner would find: the same rules as the journal's reader, over what was committed.
    ///
    /// - Parameter ended: jobs that a commit of another hand ended meanwhile.
    func restarted(
        ended: [UInt64: JobState] = [:], with pauses: Pauses = Pauses(),
        _ change: (inout CoreSettings) -> Void = { _ in }
    ) -> TestScheduler {
        let last = journal[journal.count - 1].head
        let head = ChainHead(
            batch: last.batch + 1, incarnation: last.incarnation, epoch: last.epoch + 1, nextID: last.nextID,
            nextToken: last.nextToken, nextName: last.nextName)
        let next = TestScheduler(head: head, change)
        next.now = now
        next.sessions = sessions
        next.core.recovered(pauses, drained: [])
        var workerNames: [UInt32: String] = [:]
        for row in journal.flatMap(\.names) {
            if row.family == .worker {
                workerNames[row.number] = row.name
            } else {
                next.core.recoveredName(row.family, row.name, number: row.number, at: now)
            }
        }
        for rows in Dictionary(grouping: journal.flatMap(\.schedules), by: \.schedule).values {
            let job = rows.last { $0.job != 0 }
            next.core.recoveredSchedule(
                rows[0].schedule,
                ScheduleProgress(settled: rows.map(\.due).max() ?? 0, job: job?.job ?? 0, jobDue: job?.due ?? 0))
        }
        next.core.recovered(openJobs().filter { ended[$0.id] == nil }, workerNames: workerNames, at: now)
        next.core.validate()
        return next
    }

    /// The journal of the one before goes on.
    func adopt(_ before: TestScheduler) { journal = before.journal + journal }

    func final(of id: UInt64) -> JobState? { outcomes.first { $0.id == id && $0.final != nil }?.final }

    private func openJobs() -> [RecoveredJob] {
        let closed = Set(journal.flatMap(\.pagesClosed))
        let cancelled = Set(journal.flatMap(\.actions).filter { $0.action == "cancel" }.flatMap(\.ids))
        return journal.flatMap(\.jobs).filter { !closed.contains($0.id >> JobID.pageBits) }.compactMap { row in
            let ends = journal.flatMap { commit in
                commit.outcomes.filter { $0.id == row.id }.map { (at: commit.head.at, row: $0) }
            }
            guard !ends.contains(where: { $0.row.final != nil }) else { return nil }
            let given = leases.filter { $0.id == row.id }
            var job = RecoveredJob(id: row.id, opts: row.opts, kind: row.kind, tenant: row.tenant)
            job.payloadLength = UInt32(row.payloadLength)
            for end in ends where end.row.ending == .failed {
                job.failures += 1
                job.notBefore = end.at + Int64(end.row.retry * 1_000_000)
            }
            for end in ends where end.row.ending == .lost {
                if let worker = given.first(where: { $0.token == end.row.token })?.worker,
                    !job.lostWith.contains(worker)
                {
                    job.lostWith.append(worker)
                }
            }
            if let last = given.last, !ends.contains(where: { $0.row.token == last.token }) {
                job.token = last.token
                job.worker = last.worker
            }
            job.isCancelled = cancelled.contains(row.id)
            job.affinity = journal.flatMap(\.options).first { $0.id == row.id }?.options.affinity
            job.hasCheckpoint = journal.flatMap(\.checkpoints).contains { $0.job == row.id }
            let request = row.id - UInt64(JobOpts.index(row.opts))
            let options = journal.flatMap(\.options).first { $0.id == row.id }?.options
            job.labels = options?.labels ?? []
            job.deadline = options?.deadline
            job.notBefore = max(job.notBefore, options?.runAt ?? 0)
            for index in 0..<UInt64(JobOpts.count(row.opts)) {
                guard let state = final(of: request + index) else { continue }
                if state == .cancelled { job.siblings.hasCancelled = true }
                if state != .cancelled, state != .succeeded { job.siblings.hasFailed = true }
            }
            if let first = journal.flatMap(\.jobs).first(where: { $0.id == request }) {
                job.siblings.kind = first.kind
                job.siblings.tenant = first.tenant
            }
            if let retried = journal.flatMap(\.options).first(where: { $0.id == row.id && $0.retryOf != nil }) {
                job.retriedRequest = retried.request ?? row.id
            }
            job.waitsFor = (options?.after ?? []).filter { final(of: request + UInt64($0.index)) != .succeeded }
            return job
        }
    }
}
