import StatexProtocol
import StatexSchedulerCore

/// What a scheduler asks of its reading thread.
enum ReadRequest {
    case payloads([(lease: StatexSchedulerCore.Outbox.Lease, id: UInt64, hasCheckpoint: Bool)])
    case outcomes([StatexSchedulerCore.Outbox.OutcomeLookup])
    case results([StatexSchedulerCore.Outbox.ResultLookup])
    case producer(Producer, connection: Int)
    case keys([RequestKeys], tag: Int)
    case order(OrderLookup)
    /// Whether the journal would take this as the next commit: nothing is to be committed, and an owner that
    /// was replaced would not notice otherwise.
    case watch(CommitBatch.Head)
}

enum ReadAnswer {
    case payloads([FoundPayload])
    case outcomes([(lookup: StatexSchedulerCore.Outbox.OutcomeLookup, isRecorded: Bool)])
    case results([(lookup: StatexSchedulerCore.Outbox.ResultLookup, history: SimulatedJournal.History?)])
    case producer(Producer, runs: [Producers.Run], connection: Int)
    case keys([(user: UserKeys.Use?, unique: UniqueKeys.Use?)], tag: Int)
    case order(OrderFindings)
    case watch(SimulatedJournal.Verdict, batch: UInt64)
}

/// Postgres and the way to it: commits take time, answers get lost, and what became of a commit is found
/// out as the journal's shell does it, by the same number and the chain alone.
final class Database {
    /// What becomes of the next try to commit.
    enum Fate {
        case answered
        /// It happens, and nobody hears of it.
        case answerLost(cause: Int)
        /// It does not happen, and nobody hears of that.
        case tryLost(cause: Int)
        /// The connection is lost while its backend works on: it ends long after, one way or the other.
        case late(happens: Bool, cause: Int)
        /// The database says that it did not happen: a lock timeout, a full disk, an administrator.
        case fails(cause: Int)
    }

    private struct Try {
        var commit: SimulatedJournal.Commit
        var fate: Fate
        /// From then on another insert of the same number waits for this one.
        var insertsAt: Int64
        var endsAt: Int64
        var isHeard: Bool
    }

    /// A try whose answer its owner will never hear.
    private struct LostTry {
        var batch: UInt64
        var fate: Fate
        /// Its owner looked, and it was not there (yet).
        var wasAbsent = false
    }

    unowned let world: World
    let journal: SimulatedJournal
    /// By number: those under way.
    private var tries: [(number: Int, try: Try)] = []
    private var triesMade = 0
    /// Owners whose connection is whole: another one first looks at the chain's end.
    private var connected: Set<Int> = []
    /// By owner.
    private var lostTries: [Int: LostTry] = [:]
    private(set) var isDown = false
    /// Schedulers whose way here is cut, whoever else has one.
    private var severed: Set<Int> = []
    /// Who stopped it last; the effect is that somebody has to wait.
    private var downBy: Int?
    var fate = Fate.answered
    /// Every commit fails until then.
    private var failsUntil: Int64 = 0
    private var failsBy = 0
    /// The content of one job or result of the next commit is refused.
    var refusesContent: Int?
    private(set) var refusedJobs: Set<UInt64> = []
    /// How long a commit takes.
    private var commitNanoseconds: Int64 = 1_000_000
    private var slowedBy: Int?
    private static let longestCommit: Int64 = 20_000_000_000
    /// Whose connection holds the shard's lock: courtesy, not the fence.
    private(set) var lockHolder: Int?

    init(_ world: World, journal: SimulatedJournal) {
        self.world = world
        self.journal = journal
    }

    // MARK: Committing

    /// Takes refused content out of a commit, as the journal's shell does it.
    func takeOutPoison(from batch: CommitBatch) {
        guard let cause = refusesContent, !batch.jobs.isEmpty || !batch.results.isEmpty else { return }
        refusesContent = nil
        world.hit(cause)
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
        guard isReached(by: commit.owner) else { return tryAgain(commit) }
        guard connected.contains(commit.owner) else { return tryAgain(commit) }
        if let slowedBy, commitNanoseconds > 1_000_000 { world.hit(slowedBy) }
        var entry = Try(commit: commit, fate: fate, insertsAt: 0, endsAt: 0, isHeard: true)
        fate = .answered
        if world.now < failsUntil { entry.fate = .fails(cause: failsBy) }
        var takes = min(world.random.delay(about: commitNanoseconds), Self.longestCommit)
        switch entry.fate {
        case .answered, .fails: break
        case .answerLost, .tryLost: entry.isHeard = false
        case .late:
            entry.isHeard = false
            takes = world.random.within(1_000_000_000...6_000_000_000)
        }
        // The insert of the same number waits for a transaction that holds it.
        let begins = max(world.now, blockedUntil)
        entry.insertsAt = begins + min(takes / 2, 5_000_000)
        entry.endsAt = begins + takes
        triesMade += 1
        tries.append((triesMade, entry))
        world.plan(.tryReached(number: triesMade), at: entry.endsAt)
        guard !entry.isHeard else { return }
        lostTries[commit.owner] = LostTry(batch: commit.head.batch, fate: entry.fate)
        if lockHolder == commit.owner { lockHolder = nil }
        tryAgain(commit)
    }

    /// Whether a scheduler that wants something of it finds it.
    private func isReached(by process: Int) -> Bool {
        if isDown, let downBy { world.hit(downBy) }
        return !isDown && !severed.contains(process)
    }

    private var blockedUntil: Int64 {
        tries.lazy.filter { $0.try.insertsAt <= self.world.now }.map(\.try.endsAt).max() ?? 0
    }

    private func tryAgain(_ commit: SimulatedJournal.Commit) {
        world.scheduler(commit.owner)?.journalIsDown = true
        connected.remove(commit.owner)
        world.plan(
            .reconnectedToJournal(process: commit.owner, batch: commit.head.batch),
            at: world.now + world.random.within(50_000_000...1_000_000_000))
    }

    /// A try came to its end in the database.
    func reached(_ number: Int) {
        // A crash of the database ended it.
        guard let place = tries.firstIndex(where: { $0.number == number }) else { return }
        let entry = tries.remove(at: place).try
        let commit = entry.commit
        switch entry.fate {
        case .answered, .answerLost, .late(happens: true, _): break
        case .tryLost, .late(happens: false, _): return
        case .fails(let cause):
            world.hit(cause)
            return tryAgain(commit)
        }
        var verdict = journal.append(commit)
        switch verdict {
        case .durable: world.committed(commit)
        // As after a unique violation: the row says whose it is.
        case .fenced, .wentBackwards:
            verdict = journal.judge(commit.head, owner: commit.owner)
            if case .fenced = verdict { world.mark("commit of a replaced owner refused") }
        case .refused(let why): world.violation("the journal refused commit \(commit.head.batch): \(why)")
        case .absent: break
        }
        if case .late(_, let cause) = entry.fate, lostTries[commit.owner]?.wasAbsent == true { world.hit(cause) }
        if entry.isHeard { answer(commit, verdict) }
    }

    /// A scheduler has a connection again and looks at the chain's end.
    func reconnected(_ commit: SimulatedJournal.Commit) {
        guard !isDown, !severed.contains(commit.owner) else { return tryAgain(commit) }
        connected.insert(commit.owner)
        if lockHolder == nil { lockHolder = commit.owner }
        let verdict = journal.judge(commit.head, owner: commit.owner)
        countHit(commit, verdict)
        guard case .absent = verdict else { return answer(commit, verdict) }
        // The canary guesses that it happened.
        if world.order.hasCanary { answer(commit, .durable) } else { send(commit) }
    }

    /// What a lost answer was made for: that the chain has to say what became of the commit.
    private func countHit(_ commit: SimulatedJournal.Commit, _ verdict: SimulatedJournal.Verdict) {
        guard let lost = lostTries[commit.owner], lost.batch == commit.head.batch else { return }
        switch (lost.fate, verdict) {
        case (.answerLost(let cause), .durable), (.tryLost(let cause), .absent),
            (.late(happens: false, let cause), .absent):
            world.hit(cause)
        case (.late, .absent): lostTries[commit.owner]?.wasAbsent = true
        default: break
        }
    }

    private func answer(_ commit: SimulatedJournal.Commit, _ verdict: SimulatedJournal.Verdict) {
        world.plan(
            .commitAnswered(process: commit.owner, batch: commit.head.batch, verdict: verdict),
            at: world.now + world.random.delay(about: 100_000))
    }

    // MARK: A new owner

    /// Whether a start must wait: somebody else's connection holds the shard.
    func isHeld(from process: Int) -> Bool { lockHolder.map { $0 != process } ?? false }

    /// Appends the first row of a new epoch.
    /// - Returns: nil if it cannot be done yet.
    func takeOver(owner: Int) -> ChainHead? {
        guard !isDown, blockedUntil <= world.now, world.now >= failsUntil else { return nil }
        var head = journal.end
        head.batch += 1
        head.epoch += 1
        let commit = SimulatedJournal.Commit(takeover: head, at: world.wall, owner: owner)
        guard case .durable = journal.append(commit) else { return nil }
        lockHolder = owner
        connected.insert(owner)
        world.committed(commit)
        return head
    }

    func processEnded(_ process: Int) { if lockHolder == process { lockHolder = nil } }

    /// A commit of this owner is in the database, which may or may not have its number yet.
    func hasTry(of owner: Int) -> Bool { tries.contains { $0.try.commit.owner == owner } }

    // MARK: Reading

    /// - Returns: nil while nothing can be read.
    func read(_ request: ReadRequest, of process: Int) -> ReadAnswer? {
        guard isReached(by: process) else { return nil }
        switch request {
        case .payloads(let wanted):
            return .payloads(
                wanted.compactMap {
                    journal.handOver($0.lease, of: $0.id, withCheckpoint: $0.hasCheckpoint)
                })
        case .outcomes(let lookups):
            return .outcomes(
                lookups.map { ($0, journal.ending(of: $0.token, job: $0.id).map($0.isAnswered) ?? false) })
        case .results(let lookups):
            return .results(lookups.map { ($0, journal.histories[$0.record.id.rawValue]) })
        case .producer(let producer, let connection):
            return .producer(producer, runs: journal.runs(of: producer), connection: connection)
        case .order(let lookup): return .order(journal.findings(for: lookup))
        case .watch(let head):
            if lockHolder == nil { lockHolder = process }
            let verdict = journal.judge(head, owner: process)
            if case .absent = verdict { connected.insert(process) }
            return .watch(verdict, batch: head.batch)
        case .keys(let keys, let tag):
            return .keys(
                keys.map { (user: $0.user.flatMap(journal.use), unique: $0.unique.flatMap(journal.use)) }, tag: tag)
        }
    }

    // MARK: What goes wrong

    /// Stopped, or crashed: what was under way ends unheard, and everybody loses the connection.
    func goDown(for time: Int64, as cause: Int?) {
        isDown = true
        downBy = cause
        lockHolder = nil
        connected = []
        let ended = tries
        tries.removeAll()
        for entry in ended where entry.try.isHeard { tryAgain(entry.try.commit) }
        world.act("the database is up", after: time) { $0.database.comeUp() }
    }

    func comeUp() { isDown = false }

    /// It goes down, and for longer nothing gets here from one scheduler, whoever else is heard again.
    func goDown(for time: Int64, cuttingOff process: Int, for longer: Int64) {
        goDown(for: time, as: nil)
        severed.insert(process)
        world.act("a way to the database is whole again", after: longer) { $0.database.severed.remove(process) }
    }

    func failCommits(for time: Int64, as cause: Int) {
        failsUntil = world.now + time
        failsBy = cause
    }

    func slowDown(to nanoseconds: Int64, as cause: Int) {
        commitNanoseconds = nanoseconds
        slowedBy = cause
    }

    /// Every session is ended by an administrator: each try ends one way or the other, and nobody hears.
    func endSessions(as cause: Int) -> Bool {
        lockHolder = nil
        connected = []
        guard !tries.isEmpty else { return false }
        for index in tries.indices where tries[index].try.isHeard {
            tries[index].try.isHeard = false
            if world.dice.happens(oneIn: 2) { tries[index].try.fate = .tryLost(cause: cause) }
            world.hit(cause)
            tryAgain(tries[index].try.commit)
        }
        return true
    }

    /// Faults are over.
    func heal() {
        fate = .answered
        failsUntil = 0
        refusesContent = nil
        commitNanoseconds = 1_000_000
        severed.removeAll()
        comeUp()
    }
}
