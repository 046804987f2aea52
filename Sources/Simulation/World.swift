import StatexProtocol
import StatexSchedulerCore

/// The simulated world: one clock, one generator, one queue of events; processes, a network and a
/// database that go wrong; and checkers that watch.
final class World {
    static let kinds = ["text", "audio"]
    /// How long everything may take to drain once the faults are over, in simulated time: some lease times,
    /// some backoffs, jobs that take three workers with them one after another.
    private static let drainNanoseconds: Int64 = 300_000_000_000
    private static let lookNanoseconds: Int64 = 500_000_000

    let order: SimulationRun
    let options: SimulationOptions
    var random: SeededGenerator
    private(set) var now: Int64 = 0
    private var wallAtStart: Int64
    private var events = EventQueue()
    let journal: SimulatedJournal
    private(set) lazy var network = Network(self)
    private(set) lazy var database = Database(self, journal: journal)
    private(set) lazy var checkers: [any Checker] = [
        AcknowledgementChecker(self), LeaseChecker(self), OutcomeChecker(self), CreditChecker(self),
        CancelChecker(self), FinishedWorkChecker(self), EpochChecker(self),
    ]

    // Processes; what starts, ends and replaces them is in `World+Processes.swift`.
    var schedulers: [SchedulerProcess] = []
    var workers: [WorkerProcess?]
    private(set) var clients: [ClientProcess] = []
    var workersStarted = 0
    /// The start of a scheduler that is under way: its number, and the row that it appended.
    var start: (number: Int, head: ChainHead?)?
    var starts = 0
    var misleadsConnections = false

    private var faultsAreOn = true
    /// A fault strikes after so many events; nothing: it has a time.
    private var eventsUntilStrike: Int?
    private(set) var isDrained = false
    private(set) var violations: [String] = []
    private(set) var marks: [String: Int] = [:]
    private(set) var faultCounts = [FaultCount](repeating: FaultCount(), count: Faults.all.count)
    private(set) var digest = Digest()
    private(set) var eventCount = 0

    /// Is told what happens, line by line.
    private let trace: ((String) -> Void)?

    init(_ run: SimulationRun, trace: ((String) -> Void)? = nil) {
        order = run
        self.trace = trace
        random = SeededGenerator(seed: run.seed)
        options = SimulationOptions(drawnFrom: &random)
        let hour: UInt64 = 480_000
        wallAtStart = Int64(hour + 1) * 3_600_000_000 - options.untilHour
        let firstID = hour << (JobID.shardBits + JobID.counterBits) | options.firstOffset
        journal = SimulatedJournal(incarnation: random.next() | 1, firstID: firstID)
        workers = Array(repeating: nil, count: options.workers)
        for (place, plans) in options.plans(from: &random).enumerated() {
            clients.append(ClientProcess(self, place: place, plans: plans))
        }
    }

    // MARK: Time

    var wall: Int64 { wallAtStart + now / 1_000 }
    var clock: Now { Now(monotonic: now, wall: wall) }

    func stepClock(by microseconds: Int64) { wallAtStart += microseconds }

    func plan(_ event: Event, at time: Int64) { events.plan(event, at: time) }

    /// Runs both phases: with faults, and then without them until everything has drained.
    func run() {
        orderStart(after: 0)
        for place in workers.indices { plan(.startWorker(worker: place), at: random.within(0...1_000_000_000)) }
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
        for row in journal.commits.flatMap(\.outcomes) {
            digest.add(row.id ^ row.token << 40 ^ UInt64(row.ending.rawValue))
        }
    }

    private func perform(_ event: Event) {
        switch event {
        case .arrivedAtScheduler(let connection, let bytes):
            guard network.arrives(over: connection) else { return mark("message to the scheduler lost") }
            digest.add(bytes)
            scheduler(network.connections[connection].scheduler)?.arrived(bytes, over: connection)
        case .arrivedAtPeer(let connection, let bytes):
            guard network.arrives(over: connection) else { return mark("message to a peer lost") }
            digest.add(bytes)
            switch network.connections[connection].peer {
            case .worker(let place): workers[place]?.arrived(bytes, over: connection)
            case .client(let place): clients[place].arrived(bytes, over: connection)
            }
        case .closureSeen(let connection):
            scheduler(network.connections[connection].scheduler)?.closureSeen(connection)
        case .reconnect(let socket): network.connect(socket)
        case .schedulerTurn(let process): scheduler(process)?.woke()
        case .workerTurn(let place, let process): worker(place, process)?.woke()
        case .clientTurn(let client): clients[client].woke()
        case .handlerEnded(let place, let process, let lease): worker(place, process)?.handlerEnded(lease)
        case .startScheduler(let number): takeOver(number)
        case .recover(let number): recover(number)
        case .startWorker(let place): startWorker(place)
        case .killWorker(let place, let process): if let worker = worker(place, process) { workerEnded(worker) }
        case .tryReached(let number): database.reached(number)
        case .reconnectedToJournal(let process, let batch):
            if let commit = scheduler(process)?.underway, commit.head.batch == batch { database.reconnected(commit) }
        case .commitAnswered(let process, let batch, let verdict):
            guard let scheduler = scheduler(process), scheduler.underway?.head.batch == batch else { return }
            scheduler.answered(verdict)
        case .read(let process, let request):
            guard scheduler(process) != nil else { return }
            guard let answer = database.read(request) else {
                return plan(event, at: now + random.within(50_000_000...900_000_000))
            }
            plan(.readAnswered(process: process, answer: answer), at: now + random.delay(about: 200_000))
        case .readAnswered(let process, let answer): scheduler(process)?.answered(answer)
        case .strike: strike()
        case .faultsEnd: endFaults()
        case .look: look()
        case .journalUp: database.comeUp()
        case .resumeScheduler(let process): scheduler(process)?.resume()
        case .resumeWorker(let place, let process): worker(place, process)?.resume()
        case .unclog(let connection): network.unclog(connection)
        }
    }

    // MARK: Faults

    private func strike() {
        guard faultsAreOn else { return }
        let chosen = Faults.all.indices.filter { options.faults >> UInt64($0) & 1 == 1 }
        if !chosen.isEmpty {
            let kind = chosen[random.below(chosen.count)]
            if Faults.all[kind].strike(self) { faultCounts[kind].injected += 1 }
        }
        planStrike()
    }

    /// Some faults come by the clock, and some in the middle of things: then the next is counted in events.
    private func planStrike() {
        if random.happens(oneIn: 2) {
            eventsUntilStrike = 1 + random.below(200)
        } else {
            plan(.strike, at: now + random.within(0...2 * options.faultsEvery))
        }
    }

    private func countDownToStrike() {
        guard let left = eventsUntilStrike else { return }
        eventsUntilStrike = left > 1 ? left - 1 : nil
        if left <= 1 { strike() }
    }

    /// From now on nothing goes wrong any more; what is wrong is put right, except what must heal itself.
    private func endFaults() {
        faultsAreOn = false
        misleadsConnections = false
        database.nextFate = .answered
        database.refusesContent = false
        database.commitNanoseconds = 1_000_000
        database.comeUp()
        for connection in network.live { network.unclog(connection) }
        for scheduler in schedulers where scheduler.isAlive && scheduler.isPaused { scheduler.resume() }
        for case let worker? in workers where worker.isPaused { worker.resume() }
        plan(.look, at: now)
    }

    private func look() {
        isDrained =
            clients.allSatisfy(\.isDone) && journal.ids.allSatisfy { journal.histories[$0]?.final != nil }
            && workers.allSatisfy { $0?.isIdle ?? false }
            && schedulers.last.map { $0.isAlive && $0.core.openJobs == 0 && $0.underway == nil } ?? false
        guard !isDrained else { return }
        guard now < options.faultsUntil + Self.drainNanoseconds else { return violation(whatIsLeft) }
        plan(.look, at: now + Self.lookNanoseconds)
    }

    private var whatIsLeft: String {
        let open = journal.ids.filter { journal.histories[$0]?.final == nil }
        let waiting = clients.filter { !$0.isDone }.map(\.place)
        let held = workers.map { $0.map { "\($0.heldLeases)+\($0.keptOutcomes)" } ?? "gone" }
        return
            "not drained: open jobs \(open.prefix(5)) of \(open.count), clients \(waiting) wait, workers hold \(held)"
    }

    // MARK: What checkers see

    func mark(_ name: String) { marks[name, default: 0] += 1 }

    func violation(_ text: String) { violations.append("at \(Double(now) / 1e9) s: \(text)") }

    func committed(_ commit: SimulatedJournal.Commit) { for checker in checkers { checker.committed(commit) } }

    func leaseLeft(_ lease: LeaseRecord, by scheduler: SchedulerProcess) {
        let isOwner = journal.commits.last?.owner == scheduler.number
        for checker in checkers { checker.leaseLeft(lease, isOwner: isOwner) }
    }

    func said(_ type: MessageType, id: UInt64, token: UInt64) {
        for checker in checkers { checker.schedulerSaid(type, id: id, token: token) }
    }

    func said(_ bytes: [UInt8], by worker: WorkerProcess) {
        for checker in checkers { checker.workerSaid(bytes, worker: worker) }
    }

    func leasesHeld(by worker: WorkerProcess) {
        for checker in checkers { checker.leasesHeld(by: worker) }
    }

    func finished(_ lease: LeaseRecord, _ ending: Ending, by worker: WorkerProcess) {
        for checker in checkers { checker.finished(lease, ending, by: worker) }
    }

    func gone(_ worker: WorkerProcess) {
        for checker in checkers { checker.gone(worker) }
    }

    func acknowledged(client: Int, sequence: UInt64, first: UInt64, count: Int, plan: RequestPlan) {
        for checker in checkers {
            checker.acknowledged(client: client, sequence: sequence, first: first, count: count, plan: plan)
        }
    }

    func refused(client: Int, code: UInt16, plan: RequestPlan) {
        for checker in checkers { checker.refused(client: client, code: code, plan: plan) }
    }

    func toldFinal(client: Int, id: UInt64, state: JobState) {
        for checker in checkers { checker.toldFinal(client: client, id: id, state: state) }
    }
}
