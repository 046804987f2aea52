import CLinux
import StatexHandOff
import StatexKeys
import StatexMetrics
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

/// The loop that owns every socket and the core: one thread, no locks around scheduling state.
///
/// It drains what has arrived, feeds it to the core in batches, writes batches out, hands the next
/// commit to the journal, and sleeps until the next deadline. It decides nothing about jobs.
package struct Broker: ~Copyable {
    let settings: BrokerSettings
    var core: SchedulerCore
    let handOff: HandOff
    /// Who answers handshakes; nil: no door takes keys.
    private let authenticator: Authenticator?
    var clients: Entrance
    var workers: Entrance
    var publisher: EventPublisher
    var monitor: Monitor
    var watch: MemoryWatch
    /// Which keys are allowed, and whose each worker incarnation is: for doors that take keys.
    var allowList: AllowList
    var holders: [UInt64: String] = [:]
    /// Connections whose key is not allowed, until they are cut.
    var refused: [Refused: Peer] = [:]
    var clientPeers: [RoutingID: Peer] = [:]
    var workerPeers: [RoutingID: Peer] = [:]
    var sessions: [UInt32: Peer] = [:]
    /// The peer last heard over a descriptor: a hint whose connection closed.
    var byDescriptor: [Int32: Peer] = [:]
    /// Peers with an unfinished message, and peers with parked ones.
    var dirty: [Peer] = []
    var parkedPeers: [Peer] = []
    var outbox = Outbox()
    var cache: PayloadCache
    var counts = BrokerCounts()
    var nextSession: UInt32 = 1
    /// Why submits cannot be taken now, or nil.
    var journalDown: String?
    /// When the configuration was read again (microseconds since 1970), and why it was not taken, or nil.
    var configurationRead: Int64 = 0
    var configurationRefused: String?
    /// Whether the journal said since the last heartbeat that this scheduler is the owner.
    private var isProvenOwner = false
    private(set) var commitStarted: Int64 = 0
    var commitNanoseconds: Int64 = 0
    private(set) var commitTime = Histogram()
    var nextFigures: Int64 = 0
    private var nextHeartbeat: Int64 = 0
    let startedAt: Int64
    // Reused from message to message.
    var submit = SubmitBatch()
    var outcomes: [OutcomeRecord] = []
    var reports: [ProgressRecord] = []
    var scratch = ByteBuffer(capacity: 4_096)
    /// Submits with user keys, while the journal is asked about those.
    var keyedSubmits = KeyedSubmits()
    /// What clients ask whose key is for some tenants, while it is looked up whose the jobs are.
    var heldQuestions = HeldQuestions()
    var nextTag: UInt64 = 1
    /// HELLOs of clients whose producer is being read.
    var waitingHellos: [UInt64: (peer: Peer, hello: Hello)] = [:]
    /// HELLOs of peers that believed another journal, while a commit is to prove that this one is the present one.
    var unprovenHellos: [(peer: Peer, hello: Hello)] = []

    /// Binds all endpoints.
    package init(
        _ settings: BrokerSettings, core: consuming SchedulerCore, handOff: HandOff, context: ZeroMQContext
    ) throws(ZeroMQError) {
        let keyring = settings.keyring
        var authenticator: Authenticator?
        if let keyring { authenticator = try Authenticator(in: context) { keyring.admits($0, $1) } }
        let clients = try Entrance(.init(.submit, settings.submitEndpoint, keyring, context))
        let workers = try Entrance(.init(.worker, settings.workerEndpoint, keyring, context))
        let monitor = try Monitor(workers.socket, for: .closed, in: context)
        let publisher = EventPublisher(try Entrance(.init(.events, settings.eventsEndpoint, keyring, context)))
        self.settings = settings
        self.core = core
        self.handOff = handOff
        self.authenticator = authenticator
        self.clients = clients
        self.workers = workers
        self.publisher = publisher
        watch = MemoryWatch(limit: settings.memoryLimit)
        allowList = keyring?.list ?? AllowList()
        self.monitor = monitor
        cache = PayloadCache(limit: settings.payloadCacheBytes)
        startedAt = clinux_monotonic_nanoseconds()
    }

    var now: Now { Now(monotonic: clinux_monotonic_nanoseconds(), wall: clinux_wall_microseconds()) }
    var stamp: SessionStamp { SessionStamp(session: 0, incarnation: core.incarnation, epoch: core.epoch) }

    func stamp(for peer: Peer) -> SessionStamp {
        SessionStamp(
            session: UInt64(core.epoch) << 32 | UInt64(peer.session), incarnation: core.incarnation, epoch: core.epoch)
    }

    /// Runs until it is asked to stop, or the journal says that this scheduler is the owner no more.
    ///
    /// - Parameter stop: signalled once to end in order: what has gathered is committed first.
    package mutating func run(stop: Wakeup) throws(ZeroMQError) -> StepDown? {
        var poller = Poller()
        let identity = Frame()
        let frame = Frame()
        var isStopping = false
        while true {
            let takesSubmits = !isStopping && (core.gatheredJobs < settings.gatherJobs || busyReason != nil)
            poller.removeAll()
            let eventItem = poller.add(descriptor: handOff.eventWakeup.descriptor)
            let stopItem = poller.add(descriptor: stop.descriptor)
            poller.add(monitor.socket)
            poller.add(workers.socket)
            let subscriptionItem = publisher.wait(with: &poller)
            if takesSubmits { poller.add(clients.socket) }
            _ = try poller.wait(milliseconds: patience)

            if poller.isReadable(stopItem) {
                stop.clear()
                isStopping = true
            }
            if poller.isReadable(eventItem) { handOff.eventWakeup.clear() }
            for event in handOff.events.takeAll() {
                if let reason = journalSaid(event) { return reason }
            }
            for answer in handOff.tenantAnswers.takeAll() { tenantsRead(answer) }
            for news in handOff.configurations.takeAll() { configurationRead(news) }
            if poller.isReadable(subscriptionItem) { try takeSubscriptions(frame) }
            while let descriptor = try monitor.next() { connectionClosed(descriptor) }
            try drain(worker: true, messages: 64, identity, frame)
            if takesSubmits { try drain(worker: false, messages: 32, identity, frame) }
            let time = now
            if let deadline = core.nextDeadline, deadline <= time.monotonic { core.tick(at: time, into: &outbox) }
            if !isStopping { core.dispatch(at: time, into: &outbox) }
            if core.hasQuestions { answerQuestions() }
            drainOutbox(results: nil)
            publishWorkerEvents()
            if time.monotonic >= nextEventBeat { publisher.beat(core, at: time, stamp: stamp) }
            if hasClosedDoor { openDoors() }
            if time.monotonic >= nextHeartbeat {
                reclaimEndpoints()
                beat(time.monotonic)
                cutRefused(at: time.monotonic)
                watchMemory(at: time)
            }
            publishFigures(at: time)
            retryParked()
            if let batch = core.takeBatch(at: time) {
                commitStarted = time.monotonic
                handOff.commits.put(.commit(Lent(batch)))
            } else if isStopping, !core.isCommitUnderway || busyReason != nil {
                // With the journal down nothing is lost either: what is not durable was not acknowledged.
                return nil
            }
        }
    }

    // Not inlined: Swift 6.3's optimizer dies of an ownership error of its own making in `run` if it is.
    @inline(never)
    private mutating func configurationRead(_ news: ConfigurationNews) {
        let time = now
        configurationRead = time.wall
        switch news {
        case .changed(let policies, let who, let changes):
            configurationRefused = nil
            core.reconfigured(policies, by: who, changes: changes, at: time)
        case .unchanged: configurationRefused = nil
        case .refused(let reason): configurationRefused = reason
        case .keys(let list, let policies, let who, let changes):
            configurationRefused = nil
            core.reconfigured(policies, by: who, changes: changes, at: time)
            allow(list)
        }
    }

    /// Milliseconds that the loop may sleep.
    private var patience: Int {
        if !parkedPeers.isEmpty { return 2 }
        if core.hasQuestions { return 0 }
        if hasClosedDoor { return 2 }
        var until = min(nextHeartbeat, nextEventBeat)
        if let deadline = core.nextDeadline { until = min(until, deadline) }
        let left = until - clinux_monotonic_nanoseconds()
        // Rounded up: waking too early would spin.
        return left <= 0 ? 0 : Int(min((left + 999_999) / 1_000_000, 1_000))
    }

    /// Why nothing can be made durable now. A commit that hangs counts too: clients get an answer.
    var busyReason: String? {
        if let journalDown { return journalDown }
        guard core.isCommitUnderway, clinux_monotonic_nanoseconds() - commitStarted > 2_000_000_000 else { return nil }
        return "the journal has not answered for 2 s"
    }

    private mutating func journalSaid(_ event: JournalEvent) -> StepDown? {
        switch event {
        case .committed(_, let nanoseconds): committed(nanoseconds)
        case .down(let why): journalDown = "the journal is down: \(why)"
        case .up: journalDown = nil
        case .owned: isProvenOwner = true
        case .stepDown(let reason): return reason
        case .read(let answer): readAnswered(answer)
        }
        return nil
    }

    private mutating func committed(_ nanoseconds: Int64) {
        journalDown = nil
        isProvenOwner = true
        commitNanoseconds = commitNanoseconds == 0 ? nanoseconds : (commitNanoseconds * 7 + nanoseconds) / 8
        commitTime.add(nanoseconds)
        counts.commits += 1
        guard let batch = core.journalCommitted(at: now, into: &outbox) else { return }
        counts.committedJobs += UInt64(batch.jobs.count)
        cache.keep(CachedCommit(batch), of: batch.head.batch)
        drainOutbox(results: batch)
        publishEvents(of: batch)
        core.recycle(batch)
        greetProven()
    }

    /// Only for a proven owner: one that was replaced would take the paths back from its successor. One that cannot
    /// be taken back is tried again: whoever is connected is served meanwhile.
    private mutating func reclaimEndpoints() {
        guard isProvenOwner else { return }
        isProvenOwner = false
        do { counts.reclaimed(try clients.reclaim()) } catch { counts.endpointsUnreachable += 1 }
        do { counts.reclaimed(try workers.reclaim()) } catch { counts.endpointsUnreachable += 1 }
        do { counts.reclaimed(try publisher.reclaim()) } catch { counts.endpointsUnreachable += 1 }
    }

    mutating func nextHeartbeatAfter(_ monotonic: Int64) {
        nextHeartbeat = monotonic + core.settings.heartbeatNanoseconds
    }

    // MARK: Receiving

    private mutating func drain(
        worker: Bool, messages: Int, _ identity: borrowing Frame, _ frame: borrowing Frame
    ) throws(ZeroMQError) {
        for _ in 0..<messages {
            let got =
                worker
                ? try workers.socket.receive(into: identity) : try clients.socket.receive(into: identity)
            guard got else { return }
            guard identity.hasMore else { continue }
            let hasBody = worker ? try workers.socket.receive(into: frame) : try clients.socket.receive(into: frame)
            guard hasBody else { return }
            var extra = false
            while frame.hasMore {
                extra = true
                let more = worker ? try workers.socket.receive(into: frame) : try clients.socket.receive(into: frame)
                guard more else { break }
            }
            let role = worker ? Role.worker : .client
            // Who named itself is not heard: where there are keys each connection has a name of ours.
            guard let routing = RoutingID(identity.bytes), routing.isNamed == hasKeys(role) else { continue }
            received(routing, role: role, frame, isWhole: !extra)
        }
    }

    private mutating func received(_ routing: RoutingID, role: Role, _ frame: borrowing Frame, isWhole: Bool) {
        let time = now
        let known = role == .worker ? workerPeers[routing] : clientPeers[routing]
        let peer = known ?? Peer(routing: routing, role: role, heard: time.monotonic)
        do throws(WireError) {
            guard isWhole else { throw WireError(.malformed, "a message is one frame") }
            let header = try Header(reading: frame.bytes)
            if hasKeys(role) { try checkKey(of: peer, frame, header.type) }
            if header.type == .hello {
                try greeted(peer, header, frame, at: time)
                return
            }
            guard peer.session != 0, header.session == stamp(for: peer).session else {
                counts.oldSession += 1
                throw WireError(.session, "the session is not known here: say HELLO on a new connection")
            }
            peer.heard = time.monotonic
            if role == .worker {
                try workerSaid(peer, header, frame, at: time)
            } else {
                try clientSaid(peer, header, frame, at: time)
            }
        } catch {
            counts.malformed += error.code == .session || error.code == .busy ? 0 : 1
            fault(error, to: peer)
        }
    }
}
