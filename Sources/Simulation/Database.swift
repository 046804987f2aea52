import StatexProtocol
import StatexSchedulerCore

/// What a scheduler asks of its reading thread.
enum ReadRequest {
    case payloads([(lease: StatexSchedulerCore.Outbox.Lease, id: UInt64)])
    case outcomes([StatexSchedulerCore.Outbox.OutcomeLookup])
    case results([StatexSchedulerCore.Outbox.ResultLookup])
    case producer(Producer, connection: Int)
    case keys([UserKeys.Key], tag: Int)
    /// Whose the journal is.
    case epoch
}

enum ReadAnswer {
    case payloads([(lease: StatexSchedulerCore.Outbox.Lease, payload: [UInt8])])
    case outcomes([(lookup: StatexSchedulerCore.Outbox.OutcomeLookup, isRecorded: Bool)])
    case results([(lookup: StatexSchedulerCore.Outbox.ResultLookup, history: SimulatedJournal.History?)])
    case producer(Producer, runs: [Producers.Run], connection: Int)
    case keys([UserKeys.Use?], tag: Int)
    case epoch(UInt32)
}

/// Postgres and the way to it: commits take time, answers get lost, and what became of a commit is found
/// out as the journal's shell does it, by the same number and the chain alone.
final class Database {
    /// What becomes of the next try to commit.
    enum Fate {
        case answered
        /// It happens, and nobody hears of it.
        case answerLost
        /// It does not happen, and nobody hears of that.
        case tryLost
        /// The connection is lost while its backend works on: it ends long after, one way or the other.
        case late
    }

    private struct Try {
        var commit: SimulatedJournal.Commit
        var endsAt: Int64
        var happens: Bool
        var isHeard: Bool
        var isOver = false
    }

    unowned let world: World
    let journal: SimulatedJournal
    private var tries: [Try] = []
    private(set) var isDown = false
    var nextFate = Fate.answered
    /// The content of one job or result of the next commit is refused.
    var refusesContent = false
    private(set) var refusedJobs: Set<UInt64> = []
    /// A slow disk: how long a commit takes.
    var commitNanoseconds: Int64 = 1_000_000

    init(_ world: World, journal: SimulatedJournal) {
        self.world = world
        self.journal = journal
    }

    // MARK: Committing

    /// Takes refused content out of a commit, as the journal's shell does it.
    func takeOutPoison(from batch: CommitBatch) {
        guard refusesContent, !batch.jobs.isEmpty || !batch.results.isEmpty else { return }
        refusesContent = false
        world.mark("content refused")
        let text = ErrorText("refused", "")
        let place = world.random.below(batch.jobs.count + batch.results.count)
        if place < batch.jobs.count {
            let id = batch.jobs[place].id
            refusedJobs.insert(id)
            batch.jobs[place].payloadLength = 0
            batch.options.removeAll { $0.id == id }
            batch.jobs[place].opts &= ~(1 << 45)
            batch.leases.removeAll { $0.id == id }
            batch.outcomes.removeAll { $0.id == id }
            batch.outcomes.append(
                .init(
                    id: id, token: 0, started: 0, ended: 0, retry: -1, ending: .failed, final: .failed,
                    result: Int32(batch.results.count), slot: CommitBatch.OutcomeRow.refusedAtCommit))
            batch.results.append(
                .init(
                    job: id, token: 0, ending: .failed, encoding: 0, start: batch.resultBytes.count,
                    length: text.length))
        } else {
            let index = place - batch.jobs.count
            refusedJobs.insert(batch.results[index].job)
            batch.results[index].ending = .failed
            batch.results[index].start = batch.resultBytes.count
            batch.results[index].length = text.length
            for row in batch.outcomes.indices where batch.outcomes[row].result == Int32(index) {
                batch.outcomes[row].ending = .failed
                if batch.outcomes[row].final == .succeeded { batch.outcomes[row].final = .failed }
            }
        }
        text.write(to: &batch.resultBytes)
    }

    /// Sends a commit, for the first time or again.
    func send(_ commit: SimulatedJournal.Commit) {
        guard !isDown else { return tryAgain(commit) }
        let fate = nextFate
        nextFate = .answered
        var entry = Try(commit: commit, endsAt: 0, happens: true, isHeard: false)
        var takes = world.random.delay(about: commitNanoseconds)
        switch fate {
        case .answered: entry.isHeard = true
        case .answerLost: break
        case .tryLost: entry.happens = false
        case .late:
            takes = world.random.within(1_000_000_000...6_000_000_000)
            entry.happens = world.random.happens(oneIn: 2)
        }
        // The insert of the same number waits for a transaction that holds it.
        entry.endsAt = max(world.now, blockedUntil) + takes
        tries.append(entry)
        world.plan(.tryReached(number: tries.count - 1), at: entry.endsAt)
        if !entry.isHeard { tryAgain(commit) }
    }

    private var blockedUntil: Int64 { tries.lazy.filter { !$0.isOver }.map(\.endsAt).max() ?? 0 }

    private func tryAgain(_ commit: SimulatedJournal.Commit) {
        world.scheduler(commit.owner)?.journalIsDown = true
        world.plan(
            .reconnectedToJournal(process: commit.owner, batch: commit.head.batch),
            at: world.now + world.random.within(50_000_000...1_000_000_000))
    }

    /// A try came to its end in the database.
    func reached(_ number: Int) {
        tries[number].isOver = true
        let commit = tries[number].commit
        // A crash of the database ends what was open.
        guard !isDown else {
            if tries[number].isHeard { tryAgain(commit) }
            return
        }
        guard tries[number].happens else { return }
        var verdict = journal.append(commit)
        switch verdict {
        case .durable: world.committed(commit)
        // As after a unique violation: the row says whose it is.
        case .fenced: verdict = journal.judge(commit)
        case .refused(let why): world.violation("the journal refused commit \(commit.head.batch): \(why)")
        case .absent: break
        }
        guard tries[number].isHeard else { return }
        answer(commit, verdict)
    }

    /// A scheduler has a connection again and looks at the chain's end.
    func reconnected(_ commit: SimulatedJournal.Commit) {
        guard !isDown else { return tryAgain(commit) }
        let verdict = journal.judge(commit)
        guard case .absent = verdict else { return answer(commit, verdict) }
        // The canary guesses that it happened.
        if world.order.hasCanary { answer(commit, .durable) } else { send(commit) }
    }

    private func answer(_ commit: SimulatedJournal.Commit, _ verdict: SimulatedJournal.Verdict) {
        world.plan(
            .commitAnswered(process: commit.owner, batch: commit.head.batch, verdict: verdict),
            at: world.now + world.random.delay(about: 100_000))
    }

    // MARK: A new owner

    /// Appends the first row of a new epoch.
    /// - Returns: nil if it cannot be done yet; ask again at `retryAt`.
    func takeOver(owner: Int) -> ChainHead? {
        guard !isDown, blockedUntil <= world.now else { return nil }
        var head = journal.end
        head.batch += 1
        head.epoch += 1
        let commit = SimulatedJournal.Commit(takeover: head, at: world.wall, owner: owner)
        guard case .durable = journal.append(commit) else { return nil }
        world.committed(commit)
        return head
    }

    // MARK: Reading

    /// - Returns: nil while nothing can be read.
    func read(_ request: ReadRequest) -> ReadAnswer? {
        guard !isDown else { return nil }
        switch request {
        case .payloads(let wanted):
            return .payloads(
                wanted.compactMap { wanted in
                    journal.histories[wanted.id].map { (lease: wanted.lease, payload: $0.payload) }
                })
        case .outcomes(let lookups):
            return .outcomes(
                lookups.map { ($0, journal.ending(of: $0.token, job: $0.id).map($0.isAnswered) ?? false) })
        case .results(let lookups):
            return .results(lookups.map { ($0, journal.histories[$0.record.id.rawValue]) })
        case .producer(let producer, let connection):
            return .producer(producer, runs: journal.runs(of: producer), connection: connection)
        case .epoch: return .epoch(journal.end.epoch)
        case .keys(let keys, let tag): return .keys(keys.map { journal.use(of: $0) }, tag: tag)
        }
    }

    func goDown(for time: Int64) {
        isDown = true
        world.plan(.journalUp, at: world.now + time)
    }

    func comeUp() { isDown = false }
}
