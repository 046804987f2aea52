import StatexProtocol
import StatexSchedulerCore

/// The journal's tables in memory: what each commit wrote, and what stands of each job. It refuses what
/// Postgres would refuse, and gives a new owner what `Recovery` gives.
final class SimulatedJournal {
    struct Commit {
        var head: CommitBatch.Head
        /// The process that wrote it.
        var owner: Int
        /// When its owner decided what stands in it, by the owner's clock for durations.
        var decided: ClosedRange<Int64> = 0...0
        /// The clock on the wall went another way meanwhile: what is due by it cannot be told.
        var isWallUnsure = false
        var jobs: [CommitBatch.JobRow] = []
        var payloads: [[UInt8]] = []
        var options: [CommitBatch.OptionsRow] = []
        var leases: [CommitBatch.LeaseRow] = []
        var outcomes: [CommitBatch.OutcomeRow] = []
        var results: [CommitBatch.ResultRow] = []
        var resultBytes: [UInt8] = []
        var names: [CommitBatch.NameRow] = []
        var submits: [CommitBatch.SubmitRow] = []
        var keys: [CommitBatch.KeyRow] = []
        var actions: [CommitBatch.ActionRow] = []
        var checkpoints: [CommitBatch.CheckpointRow] = []
        var schedules: [CommitBatch.ScheduleRow] = []
        var pagesClosed: [UInt64] = []

        /// The first of an epoch holds nothing else.
        init(takeover head: ChainHead, at wall: Int64, owner: Int) {
            self.head = CommitBatch.Head(head, shard: 0, at: wall)
            self.owner = owner
        }

        /// Copies everything: the batch goes back to the core.
        init(_ batch: CommitBatch, owner: Int, decided: ClosedRange<Int64>) {
            head = batch.head
            self.owner = owner
            self.decided = decided
            jobs = batch.jobs
            let slab = batch.payloads.buffer.array()
            payloads = batch.jobs.map { Array(slab[$0.payloadStart..<$0.payloadStart + $0.payloadLength]) }
            options = batch.options
            leases = batch.leases
            outcomes = batch.outcomes
            results = batch.results
            resultBytes = batch.resultBytes.array()
            names = batch.names
            submits = batch.submits
            keys = batch.keys
            actions = batch.actions
            checkpoints = batch.checkpoints
            schedules = batch.schedules
            pagesClosed = batch.pagesClosed
        }
    }

    /// What stands of one job, in the order of commits.
    struct History {
        struct Lease {
            var token: UInt64
            var worker: UInt32
            var batch: UInt64
        }
        struct Outcome {
            var token: UInt64
            var ending: Ending
            var final: JobState?
            var batch: UInt64
            /// Microseconds since 1970; 0: none.
            var retryAt: Int64
            var hasResult: Bool
        }

        var row: CommitBatch.JobRow
        var payload: [UInt8]
        /// When it was committed; microseconds since 1970.
        var created: Int64
        var options: JobOptions?
        /// Of a retry by hand: the dead letter, and the request that both belong to.
        var retryOf: (letter: UInt64, request: UInt64)?
        /// What it succeeded with.
        var result: [UInt8] = []
        var checkpoints: [Checkpoint] = []
        var leases: [Lease] = []
        var outcomes: [Outcome] = []

        var final: JobState? { outcomes.lazy.compactMap(\.final).first }
        func hasOutcome(of token: UInt64) -> Bool { outcomes.contains { $0.token == token } }
        /// The latest lease, if its attempt has no outcome.
        var openLease: Lease? { leases.last.flatMap { hasOutcome(of: $0.token) ? nil : $0 } }
    }

    enum Verdict {
        case durable
        /// Another owner appended, or the journal is another one.
        case fenced
        /// The chain ends before what was durable: commits were lost, and nobody adopted the journal yet.
        case wentBackwards
        /// What no scheduler should ever send.
        case refused(String)
        /// It is not there; it may be sent (again).
        case absent
    }

    private(set) var commits: [Commit] = []
    var histories: [UInt64: History] = [:]
    private(set) var ids: [UInt64] = []
    private(set) var names: [CommitBatch.NameRow] = []
    private(set) var submits: [(row: CommitBatch.SubmitRow, batch: UInt64)] = []
    private(set) var keys: [(row: CommitBatch.KeyRow, batch: UInt64)] = []
    private(set) var actions: [CommitBatch.ActionRow] = []
    private(set) var cancelled: Set<UInt64> = []
    var schedules: [CommitBatch.ScheduleRow] = []
    private var closedPages: Set<UInt64> = []
    private var numbersOfNames: Set<UInt32> = []
    private var knownNames: Set<String> = []
    private var usedKeys: Set<String> = []
    private let first: ChainHead
    /// Given when the journal is created or adopted.
    var incarnation: UInt64 { end.incarnation }

    /// The chain's end, or what a new journal begins with.
    private(set) var end: ChainHead

    init(incarnation: UInt64, firstID: UInt64) {
        first = ChainHead(
            batch: 0, incarnation: incarnation, epoch: 0, nextID: firstID, nextToken: 1, nextName: 1)
        end = first
    }

    // MARK: Restoring

    /// Who adopts a restored journal; no scheduler has that number.
    private static let `operator` = -1

    /// Only the first `kept` commits are left, as after a restore or a failover to a replica that lags; an
    /// operator adopts what is there, under a new incarnation.
    func restore(to kept: Int, adoptedAs incarnation: UInt64, at wall: Int64) {
        let chain = commits.prefix(kept)
        commits = []
        histories = [:]
        ids = []
        names = []
        submits = []
        keys = []
        actions = []
        cancelled = []
        schedules = []
        closedPages = []
        numbersOfNames = []
        knownNames = []
        usedKeys = []
        end = first
        for commit in chain { write(commit) }
        write(Commit(takeover: end.adopted(as: incarnation, at: wall), at: wall, owner: Self.operator))
    }

    // MARK: Appending

    /// Appends a commit, if its number is the chain's next.
    func append(_ commit: Commit) -> Verdict {
        guard commit.head.batch == end.batch + 1, commit.head.epoch >= end.epoch else { return .fenced }
        if let why = violation(of: commit) { return .refused(why) }
        write(commit)
        return .durable
    }

    private func write(_ commit: Commit) {
        commits.append(commit)
        let head = commit.head
        end = ChainHead(
            batch: head.batch, incarnation: head.incarnation, epoch: head.epoch, nextID: head.nextID,
            nextToken: head.nextToken, nextName: head.nextName)
        for (row, payload) in zip(commit.jobs, commit.payloads) {
            ids.append(row.id)
            histories[row.id] = History(row: row, payload: payload, created: head.at)
        }
        for row in commit.options {
            histories[row.id]?.options = row.options
            if let letter = row.retryOf { histories[row.id]?.retryOf = (letter, row.request ?? row.id) }
        }
        for row in commit.leases {
            histories[row.id]?.leases.append(.init(token: row.token, worker: row.worker, batch: head.batch))
        }
        for row in commit.outcomes {
            histories[row.id]?.outcomes.append(
                .init(
                    token: row.token, ending: row.ending, final: row.final, batch: head.batch,
                    retryAt: row.retry < 0 ? 0 : head.at + Int64(row.retry * 1_000_000), hasResult: row.result >= 0))
        }
        writeHandOver(commit)
        names += commit.names
        submits += commit.submits.map { ($0, head.batch) }
        keys += commit.keys.map { ($0, head.batch) }
        for row in commit.names {
            numbersOfNames.insert(row.number)
            knownNames.insert(Self.key(row))
        }
        for row in commit.keys { usedKeys.insert(Self.key(row)) }
        actions += commit.actions
        for row in commit.actions where row.action == "cancel" { cancelled.formUnion(row.ids) }
        closedPages.formUnion(commit.pagesClosed)
    }

    private static func key(_ row: CommitBatch.NameRow) -> String { "\(row.family.rawValue) \(row.name)" }
    private static func key(_ row: CommitBatch.KeyRow) -> String { "\(row.tenant) \(row.key)" }

    /// Which unique key it would break.
    private func violation(of commit: Commit) -> String? {
        if let row = commit.jobs.first(where: { histories[$0.id] != nil }) { return "job \(row.id) exists" }
        for row in commit.names {
            if numbersOfNames.contains(row.number) { return "name number \(row.number) exists" }
            // A worker incarnation may get another number after it was forgotten.
            if row.family != .worker, knownNames.contains(Self.key(row)) { return "name \(row.name) exists" }
        }
        if commit.keys.contains(where: { usedKeys.contains(Self.key($0)) }) { return "a user key exists" }
        return nil
    }

    /// What the chain says about a commit whose fate its owner does not know, or about the one that it would
    /// send next.
    func judge(_ head: CommitBatch.Head, owner: Int) -> Verdict {
        guard end.incarnation == head.incarnation else { return .fenced }
        if end.batch == head.batch, end.epoch == head.epoch, commits.last?.owner == owner { return .durable }
        if end.batch >= head.batch || end.epoch > head.epoch { return .fenced }
        return end.batch == head.batch - 1 ? .absent : .wentBackwards
    }

    // MARK: Reading

    var openIDs: [UInt64] { ids.filter { histories[$0]?.final == nil } }
    var isFinal: Bool { ids.allSatisfy { histories[$0]?.final != nil } }

    /// Who wrote the last row.
    var owner: Int? { commits.last?.owner }

    /// What a new owner needs. As `Recovery` does it: closed pages are not looked at.
    func recover() -> (jobs: [RecoveredJob], workerNames: [UInt32: String]) {
        var workerNames: [UInt32: String] = [:]
        for row in names where row.family == .worker { workerNames[row.number] = row.name }
        var open: [RecoveredJob] = []
        for id in ids.sorted() where !closedPages.contains(id >> JobID.pageBits) {
            guard let history = histories[id], history.final == nil else { continue }
            var job = RecoveredJob(id: id, opts: history.row.opts, kind: history.row.kind, tenant: history.row.tenant)
            job.payloadLength = UInt32(history.row.payloadLength)
            for outcome in history.outcomes {
                if outcome.ending == .failed { job.failures += 1 }
                if outcome.ending == .lost, let lease = history.leases.last(where: { $0.token == outcome.token }),
                    !job.lostWith.contains(lease.worker)
                {
                    job.lostWith.append(lease.worker)
                }
            }
            let retryAt = history.outcomes.last.flatMap { $0.ending == .failed ? $0.retryAt : nil } ?? 0
            job.notBefore = history.leases.isEmpty ? history.options?.runAt ?? 0 : retryAt
            job.deadline = history.options?.deadline
            job.labels = history.options?.labels ?? []
            job.affinity = history.options?.affinity
            job.runLimit = history.options?.runLimitMilliseconds ?? 0
            job.isCancelled = cancelled.contains(id)
            job.hasCheckpoint = !history.checkpoints.isEmpty
            let request = id - UInt64(JobOpts.index(history.row.opts))
            job.waitsFor = (history.options?.after ?? []).filter {
                histories[request + UInt64($0.index)]?.final != .succeeded
            }
            if let letter = history.retryOf { job.retriedRequest = letter.request }
            if JobOpts.count(history.row.opts) > 1 { job.siblings = siblings(of: request, history.row) }
            if let lease = history.openLease {
                job.token = lease.token
                job.worker = lease.worker
            }
            open.append(job)
        }
        return (open, workerNames)
    }

    private func siblings(of request: UInt64, _ row: CommitBatch.JobRow) -> RecoveredJob.Siblings {
        var found = RecoveredJob.Siblings()
        for id in request..<request + UInt64(JobOpts.count(row.opts)) {
            switch histories[id]?.final {
            case .failed, .dead, .expired: found.hasFailed = true
            case .cancelled: found.hasCancelled = true
            default: break
            }
        }
        found.kind = histories[request]?.row.kind ?? 0
        found.tenant = histories[request]?.row.tenant ?? 0
        return found
    }

    /// How the attempt of a token ended, if its outcome is recorded.
    func ending(of token: UInt64, job id: UInt64) -> Ending? {
        histories[id]?.outcomes.first { $0.token == token }?.ending
    }

    func runs(of producer: Producer) -> [Producers.Run] {
        submits.filter { $0.row.producer == producer }.map {
            Producers.Run(
                sequence: $0.row.sequence, count: UInt64($0.row.count), firstID: $0.row.firstID,
                jobsEach: UInt64($0.row.jobsEach), batch: $0.batch)
        }
    }

    func use(of key: UserKeys.Key) -> UserKeys.Use? {
        guard let tenant = names.first(where: { $0.family == .tenant && $0.name == key.tenant }),
            let found = keys.first(where: { $0.row.tenant == tenant.number && $0.row.key == key.key })
        else { return nil }
        return UserKeys.Use(digest: found.row.digest, request: found.row.request, jobs: found.row.jobs, batch: 0)
    }
}
