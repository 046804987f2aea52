import StatexProtocol
import StatexSchedulerCore

/// The simulated world: one clock, one queue of events; processes, a network and a database that go wrong;
/// and checkers that watch.
///
/// A run has two phases: with faults, and then without them until everything has drained.
final class World {
    let order: SimulationRun
    let options: SimulationOptions
    /// Of everything that just takes its time.
    var random: SeededGenerator
    /// Of the fault that strikes: each has a generator of its own, so that the others do not change if one is
    /// left out.
    var dice: SeededGenerator
    private(set) var now: Int64 = 0
    var wallClock: WallClock
    private var events = EventQueue()
    let journal: SimulatedJournal
    private(set) lazy var network = Network(self)
    private(set) lazy var database = Database(self, journal: journal)
    private(set) lazy var checkers: [any Checker] = (Topics.all + Topics.watching).flatMap { $0.checkers(of: self) }

    // Processes; what starts, ends and replaces them is in `World+Processes.swift`.
    var schedulers: [SchedulerProcess] = []
    var workers: [WorkerProcess] = []
    private(set) var clients: [ClientProcess] = []
    private(set) lazy var staff = OperatorProcess(self)
    var workersStarted = 0
    var schedulersStarted = 0
    /// Starts of schedulers that are under way, one a place at most.
    var starts: [SchedulerStart] = []
    /// New connections may reach a former scheduler that still lives.
    var misledBy: Int?
    /// New connections of one worker go to a scheduler of the fault's choice, as long as that lives.
    var led: (worker: Int, scheduler: Int, cause: Int)?
    /// The next job that runs is cancelled just before its end.
    var cancelsBeforeEnd: Int?
    /// Strikes at the next steal.
    var stealAmbush: (cause: Int, strike: (World, StealQuestion) -> Bool)?
    /// All attempts at jobs of this kind fail.
    var failingKind: (kind: Int, cause: Int)?
    /// What the configuration says now.
    var policies: Policies
    /// Who had the journal restored last.
    var restoredBy: Int?
    /// Jobs that were acknowledged, and that a restore of the journal lost.
    var vanished: Set<UInt64> = []

    private(set) var faultsAreOn = true
    private var strikes = 0
    /// A fault strikes after so many events; nil: it has a time.
    private var eventsUntilStrike: Int?
    private(set) var isDrained = false
    private(set) var violations: [String] = []
    private(set) var marks: [String: Int] = [:]
    private(set) var faultCounts = [FaultCount](repeating: FaultCount(), count: Faults.all.count)
    private(set) var digest = Digest()
    private(set) var eventCount = 0

    /// Is told what happens, line by line.
    private let trace: ((String) -> Void)?

    init(_ order: SimulationRun, trace: ((String) -> Void)? = nil) {
        self.order = order
        self.trace = trace
        random = SeededGenerator(seed: order.seed)
        dice = random
        var options = SimulationOptions(seed: order.seed)
        let plans = options.plans(seed: order.seed, without: order.leftOut)
        self.options = options
        policies = options.coreSettings.policies
        let hour: UInt64 = 480_000
        wallClock = WallClock(start: Int64(hour + 1) * 3_600_000_000 - options.untilHour)
        let firstID = hour << (JobID.shardBits + JobID.counterBits) | options.firstOffset
        journal = SimulatedJournal(incarnation: random.next() | 1, firstID: firstID)
        for (place, plans) in plans.enumerated() {
            clients.append(ClientProcess(self, place: place, plans: plans))
        }
    }

    // MARK: Time

    var wall: Int64 { wallClock.microseconds(at: now) }

    func plan(_ event: Event, at time: Int64) { events.plan(event, at: time) }

    func act(_ what: StaticString, after time: Int64, _ body: @escaping (World) -> Void) {
        plan(.act(what, body), at: now + time)
    }

    /// Runs both phases.
    func run() {
        for place in 0..<options.schedulers {
            orderStart(place, after: place == 0 ? 0 : random.within(0...3_000_000_000))
        }
        for place in 0..<options.workers {
            act("a worker starts", after: random.within(0...1_000_000_000)) { $0.startWorker(place) }
        }
        for client in clients { client.planTurn(at: random.within(0...1_000_000_000)) }
        plan(.strike, at: options.faultsEvery)
        plan(.faultsEnd, at: options.faultsUntil)
        while violations.isEmpty, !isDrained, let (at, event) = events.next() {
            now = at
            eventCount += 1
            digest.add(UInt64(at))
            trace?("\(Double(at) / 1e9) \(event)")
            perform(event)
            countDownToStrike()
        }
        for checker in checkers where violations.isEmpty { checker.atEnd() }
        for commit in journal.commits {
            for row in commit.outcomes { digest.add(row.id ^ row.token << 40 ^ UInt64(row.ending.rawValue)) }
        }
    }

    private func perform(_ event: Event) {
        switch event {
        case .arrivedAtScheduler(let connection, let bytes):
            guard network.arrives(over: connection) else { return }
            digest.add(bytes)
            scheduler(network.connections[connection].scheduler)?.arrived(bytes, over: connection)
        case .arrivedAtPeer(let connection, let bytes):
            guard network.arrives(over: connection) else { return }
            digest.add(bytes)
            switch network.connections[connection].peer {
            case .worker(let process): worker(process)?.arrived(bytes, over: connection)
            case .client(let place): clients[place].arrived(bytes, over: connection)
            case .staff: staff.arrived(bytes, over: connection)
            case .stranger: strangerHeard(bytes, over: connection)
            }
        case .closureSeen(let connection):
            scheduler(network.connections[connection].scheduler)?.closureSeen(connection)
        case .reconnect(let socket): network.reconnected(socket)
        case .schedulerTurn(let process): scheduler(process)?.woke()
        case .workerTurn(let process): worker(process)?.woke()
        case .clientTurn(let client): clients[client].woke()
        case .handlerEnded(let process, let lease): worker(process)?.handlerEnded(lease)
        case .startScheduler(let number): takeOver(number)
        case .recover(let number): recover(number)
        case .tryReached(let number): database.reached(number)
        case .reconnectedToJournal(let process, let batch):
            if let commit = scheduler(process)?.underway, commit.head.batch == batch { database.reconnected(commit) }
        case .commitAnswered(let process, let batch, let verdict):
            guard let scheduler = scheduler(process), scheduler.underway?.head.batch == batch else { return }
            scheduler.answered(verdict)
        case .read(let process, let request):
            guard scheduler(process) != nil else { return }
            guard let answer = database.read(request, of: process) else {
                return plan(event, at: now + random.within(50_000_000...900_000_000))
            }
            plan(.readAnswered(process: process, answer: answer), at: now + random.delay(about: 200_000))
        case .readAnswered(let process, let answer): scheduler(process)?.answered(answer)
        case .strike: strike()
        case .faultsEnd: endFaults()
        case .look: look()
        case .act(_, let body): body(self)
        }
    }

    /// A stranger's message was not understood, as it should be.
    private func strangerHeard(_ bytes: [UInt8], over connection: Int) {
        if let cause = network.connections[connection].awaitsReplay { hit(cause) }
    }

    // MARK: Faults

    private func strike() {
        guard faultsAreOn else { return }
        strikes += 1
        dice = SeededGenerator(seed: order.seed, part: 1_000 + UInt64(strikes))
        planStrike()
        guard let kind = dice.one(of: options.faults), !order.leftOut.strikes.contains(strikes) else { return }
        trace?("\(Double(now) / 1e9) strike \(strikes): \(Faults.all[kind].name)")
        if Faults.all[kind].strike(self, as: kind) { faultCounts[kind].injected += 1 }
    }

    /// Some faults come by the clock, and some in the middle of things: then the next is counted in events.
    private func planStrike() {
        if dice.happens(oneIn: 2) {
            eventsUntilStrike = 1 + dice.below(options.eventsBetweenFaults)
        } else {
            plan(.strike, at: now + dice.within(0...2 * options.faultsEvery))
        }
    }

    private func countDownToStrike() {
        guard let left = eventsUntilStrike else { return }
        eventsUntilStrike = left > 1 ? left - 1 : nil
        if left <= 1 { strike() }
    }

    /// A fault had the effect that it is made for.
    func hit(_ cause: Int) { faultCounts[cause].hit += 1 }

    /// A handler will end.
    func endIsNear(of job: UInt64, after time: Int64) {
        guard let cause = cancelsBeforeEnd else { return }
        cancelsBeforeEnd = nil
        let lead = dice.within(0...4_000_000)
        act("a job is cancelled before its end", after: max(time - lead, 0)) { _ = $0.cancel(job, as: cause) }
    }

    /// From now on nothing goes wrong any more; what is wrong is put right, except what must heal itself.
    private func endFaults() {
        faultsAreOn = false
        misledBy = nil
        led = nil
        cancelsBeforeEnd = nil
        stealAmbush = nil
        failingKind = nil
        wallClock.heal(at: now)
        database.heal()
        for scheduler in schedulers where scheduler.isPaused { scheduler.resume() }
        for worker in workers {
            worker.becomeHonest()
            if worker.isPaused { worker.resume() }
        }
        for client in clients where client.isPaused { client.resume() }
        network.heal()
        resumeAll()
        restorePolicies()
        plan(.look, at: now)
    }

    /// How many strikes there were: what may be left out of this run.
    var strikesMade: Int { strikes }

    private func look() {
        isDrained =
            now >= options.faultsUntil + options.calmNanoseconds && clients.allSatisfy(\.isDone) && staff.isDone
            && journal.isFinal
            && workers.allSatisfy(\.isIdle)
            && schedulers.contains { $0.number == journal.owner && $0.core.openJobs == 0 && $0.underway == nil }
        guard !isDrained else { return }
        for checker in checkers { checker.watched() }
        if now >= options.faultsUntil + options.calmNanoseconds { for checker in checkers { checker.looked() } }
        guard now < drainsUntil else { return violation(whatIsLeft) }
        plan(.look, at: now + options.lookNanoseconds)
    }

    /// When everything must have drained. What was written while the clock was wrong waits for as long again.
    private var drainsUntil: Int64 {
        options.faultsUntil + options.drainNanoseconds + (wallClock.mostAhead + wallClock.mostBehind) * 1_000
    }

    private var whatIsLeft: String {
        let open = journal.ids.filter { journal.histories[$0]?.final == nil }
        let waiting = clients.filter { !$0.isDone }.map { "\($0.place) for \($0.openRequests)" }
        let held = workers.map { "\($0.heldLeases)+\($0.keptOutcomes)" }
        return
            "not drained: open jobs \(open.prefix(5)) of \(open.count), clients \(waiting) wait, workers hold \(held)"
    }

    // MARK: What was seen

    /// For whoever reads along.
    func note(_ text: @autoclosure () -> String) { if let trace { trace("  \(text())") } }

    func mark(_ name: String, times: Int = 1) { marks[name, default: 0] += times }

    func violation(_ text: String) { violations.append("at \(Double(now) / 1e9) s: \(text)") }
}
