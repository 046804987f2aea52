import StatexProtocol
import StatexSchedulerCore

/// One scheduler process: the real core in a shell that does what the broker's does, over the simulated
/// network and database.
final class SchedulerProcess {
    let number: Int
    let place: Int
    unowned let world: World
    var core: SchedulerCore
    var out = StatexSchedulerCore.Outbox()
    private(set) var isAlive = true
    /// Stopped by the operating system; what arrives waits.
    private(set) var isPaused = false
    /// How long its machine was suspended: its clock for durations did not run.
    private var suspended: Int64 = 0
    /// When it last went on after a pause, by its own clock.
    private(set) var resumedAt = Int64.min
    /// It is killed before so many more effects of one turn.
    private var effectsUntilCrash: (left: Int, cause: Int)?
    private var effectsOfTurn = 0
    var journalIsDown = false

    // What waits for the next turn of the loop, in the order of arrival.
    var inbox: [(connection: Int, bytes: [UInt8])] = []
    var closures: [Int] = []
    var verdicts: [SimulatedJournal.Verdict] = []
    var readAnswers: [ReadAnswer] = []

    /// The configuration that is to be read, and who changed it.
    private var configuration: (policies: Policies, cause: Int?)?
    private(set) var underway: SimulatedJournal.Commit?
    /// The end of the chain, as far as this owner made it.
    private var last: ChainHead
    var peers: [Int: SchedulerPeer] = [:]
    var order: [Int] = []
    var sessions: [UInt32: SchedulerPeer] = [:]
    var dirty: [SchedulerPeer] = []
    var nextSession: UInt32 = 1
    var waitingHellos: [Int: Hello] = [:]
    /// Of peers that believed another journal.
    var unprovenHellos: [(peer: SchedulerPeer, hello: Hello)] = []
    var keyedSubmits: [Int: (session: UInt32, bytes: [UInt8])] = [:]
    var nextTag = 1
    var nextHeartbeat: Int64
    private var nextWatch: Int64
    private var commitStarted = Now(monotonic: 0, wall: 0)
    private var lastAnswered: Int64 = -1
    /// How often the clock on the wall had been changed when the last commit was taken.
    private var wallChanges = 0
    /// How often an owner with nothing to commit looks at the chain.
    private var watchNanoseconds: Int64 { core.settings.heartbeatNanoseconds }
    /// A commit that hangs so long counts as a journal that is away.
    private static let longCommit: Int64 = 2_000_000_000
    private var turns = Turns()
    var submit = SubmitBatch()
    /// Payloads of the last commits; others are read back.
    var slabs: [(batch: UInt64, slab: PayloadSlab)] = []

    init(_ world: World, number: Int, place: Int, head: ChainHead, core: consuming SchedulerCore) {
        self.world = world
        self.number = number
        self.place = place
        self.core = core
        last = head
        nextHeartbeat = world.now
        nextWatch = world.now
    }

    /// The process' own time: what its clocks say.
    var clock: Now { Now(monotonic: world.now - suspended, wall: world.wall) }

    // MARK: What arrives

    func arrived(_ bytes: [UInt8], over connection: Int) {
        inbox.append((connection, bytes))
        planTurn(at: world.now + world.random.within(0...300_000))
    }

    func closureSeen(_ connection: Int) {
        closures.append(connection)
        planTurn(at: world.now)
    }

    func answered(_ verdict: SimulatedJournal.Verdict) {
        verdicts.append(verdict)
        planTurn(at: world.now)
    }

    func answered(_ answer: ReadAnswer) {
        readAnswers.append(answer)
        planTurn(at: world.now)
    }

    // MARK: The loop

    func planTurn(at time: Int64) {
        guard isAlive, !isPaused else { return }
        let time = max(time, world.now)
        if turns.want(at: time) { world.plan(.schedulerTurn(process: number), at: time) }
    }

    /// At a time of its own clock.
    private func planTurn(atOwn time: Int64) { planTurn(at: time > .max - suspended ? .max : time + suspended) }

    func woke() {
        guard isAlive, !isPaused else { return }
        let (turns, wakesAt) = turns.woke(at: world.now)
        if let wakesAt { world.plan(.schedulerTurn(process: number), at: wakesAt) }
        if turns { turn() }
    }

    private func turn() {
        effectsOfTurn = 0
        for verdict in verdicts {
            guard journalSaid(verdict) else { return world.stepsDown(self) }
        }
        verdicts.removeAll()
        let answers = readAnswers
        readAnswers.removeAll()
        for answer in answers {
            if case .watch(let verdict, let batch) = answer {
                guard watched(verdict, batch) else { return world.stepsDown(self) }
            } else {
                readAnswered(answer)
            }
        }
        let closed = closures
        closures.removeAll()
        for connection in closed {
            if let peer = peers[connection] { forget(peer) }
        }
        if let (policies, cause) = configuration {
            configuration = nil
            core.reconfigured(policies, by: "operator", changes: "simulated", at: clock)
            for checker in world.checkers { checker.configured(self, policies, as: cause) }
        }
        let messages = fairlyMixed(inbox)
        inbox.removeAll()
        for message in messages { received(message.bytes, over: message.connection) }
        let now = clock
        if let deadline = core.nextDeadline, deadline <= now.monotonic { core.tick(at: now, into: &out) }
        core.dispatch(at: now, into: &out)
        if core.hasQuestions {
            let sessions = sessions
            core.answerQuestions(unless: { sessions[$0]?.parked.isEmpty == false }, into: &out)
        }
        drain(results: nil)
        if now.monotonic >= nextHeartbeat { beat() }
        retryParked()
        if now.monotonic >= nextWatch {
            nextWatch = now.monotonic + watchNanoseconds
            if underway == nil { read(.watch(nextHead)) }
        }
        commit(at: now)
        guard isAlive else { return }
        core.validate()
        world.turned(self)
        let retry = hasParked ? now.monotonic + Self.parkNanoseconds : core.hasQuestions ? now.monotonic : .max
        planTurn(atOwn: min(nextHeartbeat, nextWatch, core.nextDeadline ?? .max, retry))
    }

    private func commit(at now: Now) {
        guard let batch = core.takeBatch(at: now) else { return }
        world.database.takeOutPoison(from: batch)
        // What was decided while no commit was under way was taken at once.
        let since = lastAnswered == now.monotonic ? commitStarted : now
        var commit = SimulatedJournal.Commit(batch, owner: number, decided: since.monotonic...now.monotonic)
        let apart = (now.wall - since.wall) * 1_000 - (now.monotonic - since.monotonic)
        commit.isWallUnsure = abs(apart) > 1_000_000 || wallChanges != world.wallClock.changes
        wallChanges = world.wallClock.changes
        underway = commit
        commitStarted = now
        world.decided(commit, by: self)
        if effect() { world.database.send(commit) }
    }

    /// What the chain must be ready for.
    private var nextHead: CommitBatch.Head {
        var head = CommitBatch.Head(last, shard: 0, at: 0)
        head.batch += 1
        return head
    }

    /// Why nothing can be made durable now, or nil.
    var busyReason: String? {
        if journalIsDown { return "the journal is down" }
        guard core.isCommitUnderway, clock.monotonic - commitStarted.monotonic > Self.longCommit else { return nil }
        return "the journal has not answered for 2 s"
    }

    /// A socket with many peers takes from one after the other: what two of them sent may change places.
    private func fairlyMixed(_ messages: [(connection: Int, bytes: [UInt8])]) -> [(connection: Int, bytes: [UInt8])] {
        guard messages.count > 1 else { return messages }
        let salt = world.random.next()
        func rank(_ connection: Int) -> UInt64 { (UInt64(connection) ^ salt) &* 0x9E37_79B9_7F4A_7C15 }
        return messages.enumerated().sorted {
            (rank($0.element.connection), $0.offset) < (rank($1.element.connection), $1.offset)
        }.map(\.element)
    }

    /// Told to read its configuration again.
    func configure(_ policies: Policies, as cause: Int?) {
        configuration = (policies, cause)
        planTurn(at: world.now)
    }

    func pause() { isPaused = true }

    /// Goes on after a pause; it does not know how long it was away.
    /// - Parameter suspended: how much of the pause its clock for durations did not see.
    func resume(suspended time: Int64 = 0) {
        isPaused = false
        suspended += time
        resumedAt = clock.monotonic
        turns = Turns()
        planTurn(at: world.now)
    }

    /// Killed, or stepped down.
    func end() { isAlive = false }

    func crash(afterEffects count: Int, as cause: Int) { effectsUntilCrash = (count, cause) }

    /// Something is about to leave the process.
    /// - Returns: false if it was killed just before.
    func effect() -> Bool {
        guard isAlive else { return false }
        effectsOfTurn += 1
        guard let crash = effectsUntilCrash else { return true }
        guard crash.left > 0 else {
            effectsUntilCrash = nil
            // Something was done in this step, and something was not.
            if effectsOfTurn > 1 { world.hit(crash.cause) }
            world.schedulerDies(self)
            return false
        }
        effectsUntilCrash?.left -= 1
        return true
    }

    // MARK: The journal

    /// - Returns: false if this process is the owner no more.
    func journalSaid(_ verdict: SimulatedJournal.Verdict) -> Bool {
        guard case .durable = verdict else { return false }
        journalIsDown = false
        lastAnswered = clock.monotonic
        if let underway { last.batch = underway.head.batch }
        underway = nil
        guard let batch = core.journalCommitted(at: clock, into: &out) else { return true }
        world.told(batch.head, by: self)
        nextWatch = clock.monotonic + watchNanoseconds
        slabs.append((batch.head.batch, batch.payloads))
        if slabs.count > world.options.cachedCommits { slabs.removeFirst() }
        drain(results: batch)
        core.recycle(batch)
        greetProven()
        return true
    }

    /// The chain's end, looked at while nothing is to be committed.
    /// - Returns: false if this process is the owner no more.
    private func watched(_ verdict: SimulatedJournal.Verdict, _ batch: UInt64) -> Bool {
        // Something may have been committed since.
        guard underway == nil, batch == last.batch + 1 else { return true }
        switch verdict {
        case .absent, .durable: journalIsDown = false
        case .fenced, .wentBackwards, .refused: return false
        }
        return true
    }
}
