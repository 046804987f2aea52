import StatexProtocol
import StatexSchedulerCore
import StatexWorkerCore

/// One worker process: the real core in a shell that does what the worker's runtime does, with slots
/// whose handlers are `Work`.
final class WorkerProcess {
    private struct Queued {
        var lease: LeaseHandle
        var record: LeaseRecord
        /// The journal that the lease is of.
        var journal: UInt64
        var work: Work
        var inputs: [LeaseInput]
        var checkpoint: [UInt8]?
    }
    private struct Running {
        var queued: Queued
        var startedAt: Int64
        var isToldToStop = false
        /// The lease is no more this worker's; its handler just has not stopped yet.
        var isRevoked = false
        /// How often it said something, and bytes of output that it put out.
        var said = 0
        var put = 0
    }

    /// Which worker of the plan, and which process: another one follows a crash.
    let place: Int
    let number: Int
    let incarnation: UInt64
    unowned let world: World
    private(set) var core: WorkerCore
    private var out = StatexWorkerCore.Outbox()
    private(set) var isAlive = true
    private(set) var isPaused = false
    /// How long its machine was suspended: its clock did not run.
    private var suspended: Int64 = 0
    /// Its handlers fail whatever they get.
    private var failsAllBy: Int?
    /// Something failed in it: it may be kept from work that others do.
    private(set) var failedSomething = false
    /// Who made it report on leases that it does not have.
    private(set) var speaksBy: Int?
    /// It is killed before so many more messages of one turn leave.
    private var messagesUntilCrash: (left: Int, cause: Int)?
    private var messagesOfTurn = 0
    private let slots: Int
    private var socket = -1
    private var inbox: [[UInt8]] = []
    private var ended: [EndedAttempt] = []
    private var queue: [Queued] = []
    private var running: [Running] = []
    private var turns = Turns()
    private var buffer = ByteBuffer(capacity: 1_024)

    init(_ world: World, place: Int, number: Int) {
        self.world = world
        self.place = place
        self.number = number
        slots = world.options.slots
        incarnation = world.random.next() | 1
        var settings = WorkerSettings(slots: slots, kinds: SimulationOptions.kinds.count)
        settings.prefetch = 16
        settings.keptBytes = world.options.keptBytes
        core = WorkerCore(settings, seed: world.random.next())
    }

    /// Leases that it believes to hold.
    var heldLeases: Int { queue.count + running.count { !$0.isRevoked } }
    /// Their jobs.
    var heldJobs: [UInt64] { (queue + running.filter { !$0.isRevoked }.map(\.queued)).map(\.record.id.rawValue) }
    /// The scheduler that it believes.
    var stamp: SessionStamp { core.stamp }
    /// Leases whose jobs wait behind its slots.
    var unstarted: [(token: UInt64, id: UInt64)] { queue.map { ($0.record.token, $0.record.id.rawValue) } }
    var runningJobs: [UInt64] { running.map { $0.queued.record.id.rawValue } }
    /// Handlers that run, whether or not their leases are still its own.
    var runningHandlers: Int { running.count }
    /// The process' own time.
    private var now: Int64 { world.now - suspended }
    var isIdle: Bool { queue.isEmpty && running.isEmpty && core.keptOutcomes == 0 }
    var keptOutcomes: Int { core.keptOutcomes }

    // MARK: What arrives

    func arrived(_ bytes: [UInt8], over connection: Int) {
        guard isAlive, socket >= 0, world.network.reaches(connection, socket: socket) else { return }
        inbox.append(bytes)
        planTurn(at: world.now + world.random.within(0...200_000))
    }

    func handlerEnded(_ lease: LeaseHandle) {
        guard isAlive, let index = running.firstIndex(where: { $0.queued.lease == lease }) else { return }
        let run = running.remove(at: index)
        let attempt = end(of: run)
        world.stopped(run.queued.record, of: run.queued.journal, by: self)
        if !run.isToldToStop, !run.isRevoked {
            world.finished(run.queued.record, of: run.queued.journal, attempt.ending, by: self)
        }
        ended.append(attempt)
        planTurn(at: world.now)
    }

    private func end(of run: Running) -> EndedAttempt {
        let work = run.queued.work
        var attempt = EndedAttempt(
            run.queued.lease, startedAt: run.startedAt, endedAt: now, ending: .succeeded)
        if let failsAllBy { world.hit(failsAllBy) }
        let fails =
            switch work.behaviour {
            case .succeeds, .ignoresStops, .kills: false
            case .fails, .failsForGood: true
            case .failsOnce: run.queued.record.attempt == 1
            case .hangs: true
            }
        let isOutage = world.failingKind?.kind == Int(run.queued.record.kind)
        if failsAllBy != nil || isOutage || fails || run.isToldToStop && work.behaviour != .ignoresStops {
            failedSomething = true
            attempt.ending = .failed
            attempt.retryable = work.behaviour != .failsForGood || failsAllBy != nil || isOutage
            let error = ErrorText("simulated", "")
            var body = ByteBuffer(capacity: 64)
            error.write(to: &body)
            attempt.body = body.array()
        } else {
            attempt.body = work.result(of: run.queued.record.id.rawValue)
        }
        return attempt
    }

    // MARK: The loop

    func planTurn(at time: Int64) {
        guard isAlive, !isPaused else { return }
        let time = max(time, world.now)
        if turns.want(at: time) { world.plan(.workerTurn(process: number), at: time) }
    }

    func woke() {
        guard isAlive, !isPaused else { return }
        let (turns, wakesAt) = turns.woke(at: world.now)
        if let wakesAt { world.plan(.workerTurn(process: number), at: wakesAt) }
        if turns { turn() }
    }

    private func turn() {
        messagesOfTurn = 0
        for attempt in ended { core.ended(attempt, at: now, into: &out) }
        ended.removeAll()
        let messages = inbox
        inbox.removeAll()
        for message in messages { received(message) }
        core.tick(at: now, into: &out)
        stopJobs()
        startJobs()
        core.validate()
        world.leasesHeld(by: self)
        if let failure = out.failure { return failed(failure) }
        flush()
        guard isAlive else { return }
        if out.goodbye { return finish() }
        let deadline = core.nextDeadline
        planTurn(at: deadline > .max - suspended ? .max : deadline + suspended)
    }

    func pause() { isPaused = true }

    /// - Parameter suspended: how much of the pause its clock did not see.
    func resume(suspended time: Int64 = 0) {
        isPaused = false
        suspended += time
        turns = Turns()
        planTurn(at: world.now)
    }

    func drain() {
        core.drainOrdered(at: now, into: &out)
        planTurn(at: world.now)
    }

    func failAll(as cause: Int) { failsAllBy = cause }
    func becomeHonest() { failsAllBy = nil }

    func crash(afterMessages count: Int, as cause: Int) { messagesUntilCrash = (count, cause) }

    /// Killed: nothing more is said, nothing more is run.
    func end() {
        guard isAlive else { return }
        isAlive = false
        if socket >= 0 { world.network.close(socket) }
    }

    private func failed(_ error: WireError) {
        world.mark("worker ended with an error")
        world.workerFailed(self, error)
    }

    private func finish() {
        world.mark("worker drained")
        if core.isConnected {
            buffer.removeAll()
            Bare.write(.goodbye, stamp: core.stamp, to: &buffer)
            send()
        }
        world.workerEnded(self)
    }

    // MARK: Messages in

    private func received(_ bytes: [UInt8]) {
        let span = bytes.span.bytes
        do throws(WireError) {
            let header = try Header(reading: span)
            switch header.type {
            case .welcome: core.welcomed(try Welcome(reading: span, header: header), at: now, into: &out)
            case .fault: core.faulted(try Fault(reading: span, header: header), at: now, into: &out)
            default:
                if core.accepts(header, at: now) { try receivedInSession(header, span, bytes) }
            }
        } catch {
            world.violation("a worker did not understand a message: \(error)")
        }
    }

    private func receivedInSession(_ header: Header, _ span: borrowing RawSpan, _ bytes: [UInt8]) throws(WireError) {
        switch header.type {
        case .leases:
            var cursor = try header.recordCursor(atLeast: LeaseRecord.size)
            for _ in 0..<header.count {
                let record = try LeaseRecord(reading: &cursor, header: header, in: span)
                guard let handle = core.leased(record, at: now, into: &out) else { continue }
                let payload = bytes[record.payloadStart..<record.payloadStart + Int(record.payloadLength)]
                guard let work = Work(Array(payload)) else {
                    return world.violation("job \(record.id) came with another payload")
                }
                let inputsStart = record.payloadStart + Int(record.payloadLength)
                let inputs = bytes[inputsStart..<inputsStart + Int(record.inputsLength)]
                let checkpoint = bytes[record.checkpointStart..<record.checkpointStart + Int(record.checkpointLength)]
                queue.append(
                    Queued(
                        lease: handle, record: record, journal: header.incarnation, work: work,
                        inputs: try LeaseInput.list(Int(record.inputs), in: Array(inputs).span.bytes),
                        checkpoint: record.hasCheckpoint ? Array(checkpoint) : nil))
            }
        case .durable, .stale, .revoke, .follow, .checkpointed:
            var cursor = try header.recordCursor(atLeast: TokenRecord.size)
            for _ in 0..<header.count {
                let record = try TokenRecord(reading: &cursor, header: header, in: span)
                switch header.type {
                case .durable: core.becameDurable(record, incarnation: header.incarnation, at: now)
                case .stale: core.becameStale(record, incarnation: header.incarnation)
                case .follow: core.followed(record, incarnation: header.incarnation)
                case .checkpointed: core.checkpointed(record, incarnation: header.incarnation)
                default: core.revoked(record, incarnation: header.incarnation, into: &out)
                }
            }
        case .offerAgain: core.offersWanted(into: &out)
        default: break
        }
    }

    // MARK: Slots

    private func stopJobs() {
        let unwanted = out.withdrawals + out.stops
        guard !unwanted.isEmpty else { return }
        for (lease, reason) in zip(out.stops, out.stopReasons) where reason == .revoked {
            guard let index = running.firstIndex(where: { $0.queued.lease == lease }) else { continue }
            running[index].isRevoked = true
        }
        for lease in unwanted {
            if let index = queue.firstIndex(where: { $0.lease == lease }) {
                queue.remove(at: index)
                core.withdrawn(lease, at: now, into: &out)
            } else if let index = running.firstIndex(where: { $0.queued.lease == lease }), !running[index].isToldToStop,
                out.stops.contains(lease)
            {
                running[index].isToldToStop = true
                guard running[index].queued.work.behaviour != .ignoresStops else { continue }
                planEnd(of: lease, after: world.random.within(0...20_000_000))
            }
        }
        core.jobsStopped(into: &out)
        core.tick(at: now, into: &out)
    }

    private func startJobs() {
        while running.count < slots, !queue.isEmpty {
            let queued = queue.removeFirst()
            core.started(queued.lease, at: now)
            running.append(Running(queued: queued, startedAt: now))
            world.began(queued.record, of: queued.journal, by: self)
            world.handed(queued.record, of: queued.journal, queued.inputs, queued.checkpoint)
            if !queued.work.talk.isEmpty { planTalk(of: queued) }
            let milliseconds = Int64(queued.work.milliseconds)
            switch queued.work.behaviour {
            case .hangs: break
            case .kills:
                world.act("a worker is killed by its job", after: milliseconds * 1_000_000) { [number] world in
                    // It may have been stopped before.
                    guard let worker = world.worker(number), worker.runs(queued.lease) else { return }
                    world.workerEnded(worker)
                }
            case .succeeds, .fails, .failsForGood, .failsOnce, .ignoresStops:
                planEnd(of: queued.lease, after: milliseconds * 1_000_000)
            }
        }
    }

    private func runs(_ lease: LeaseHandle) -> Bool { running.contains { $0.queued.lease == lease } }

    /// A handler says something some times while it runs; the first words at once.
    private func planTalk(of queued: Queued) {
        let interval = max(20_000_000, Int64(queued.work.milliseconds) * 1_000_000 / 12)
        world.act("a handler says something", after: world.random.within(0...interval)) { [number] world in
            world.worker(number)?.talk(of: queued)
        }
    }

    private func talk(of queued: Queued) {
        guard isAlive, let index = running.firstIndex(where: { $0.queued.lease == queued.lease }),
            running[index].said < Self.mostSaid
        else { return }
        // A process that is stopped says nothing.
        if !isPaused {
            running[index].said += 1
            var report = AttemptReport(queued.lease)
            if queued.work.talk.contains(.reports) {
                let piece = Talk.piece(running[index].said, token: queued.record.token, from: running[index].put)
                running[index].put += piece.count
                report.progressed(UInt16(running[index].said), [])
                report.put(piece)
            }
            if queued.work.talk.contains(.checkpoints) {
                report.checkpoint = Talk.checkpoint(running[index].said, token: queued.record.token)
            }
            core.reported(report, at: now, into: &out)
            planTurn(at: world.now)
        }
        planTalk(of: queued)
    }

    private static let mostSaid = 40

    /// Reports on leases that it does not have.
    /// - Returns: whether it has a session to do so.
    func speaks(of records: some Collection<ProgressRecord>, as cause: Int) -> Bool {
        guard isAlive, socket >= 0, core.isConnected, !records.isEmpty else { return false }
        speaksBy = cause
        buffer.removeAll()
        Header(.report, recordLength: ProgressRecord.size, stamp: core.stamp, count: records.count).write(to: &buffer)
        for record in records {
            record.write(to: &buffer)
            buffer.append(Talk.forged)
        }
        send()
        return true
    }

    private func planEnd(of lease: LeaseHandle, after time: Int64) {
        if let run = running.last(where: { $0.queued.lease == lease }) {
            world.endIsNear(of: run.queued.record.id.rawValue, after: time)
        }
        world.plan(.handlerEnded(process: number, lease: lease), at: world.now + time)
    }

    // MARK: Messages out

    private func flush() {
        if let reason = out.closeReason {
            world.note("worker process \(number) closes its socket: \(reason)")
            closeSocket()
            out.socketClosed()
        }
        if out.opensSocket {
            closeSocket()
            socket = world.network.open(.worker(number))
            out.socketOpened()
        }
        guard socket >= 0 else { return }
        if out.hello {
            out.hello = false
            buffer.removeAll()
            hello.write(to: &buffer)
            send()
        }
        guard core.isConnected else { return }
        if out.heartbeat {
            out.heartbeat = false
            buffer.removeAll()
            core.heartbeat.write(to: &buffer, stamp: core.stamp)
            send()
        }
        while isAlive, core.packClaims(from: &out, to: &buffer) { send() }
        while isAlive, core.packKept(from: &out, to: &buffer) { send() }
        while isAlive, core.packReports(from: &out, to: &buffer) { send() }
        while isAlive, core.packCheckpoints(from: &out, to: &buffer) { send() }
        while isAlive, core.packOutcomes(from: &out, to: &buffer, at: now) { send() }
        if isAlive, out.credit {
            core.packCredit(from: &out, to: &buffer)
            send()
        }
    }

    private var hello: Hello {
        var hello = Hello(role: .worker, incarnation: incarnation, name: "w\(place)")
        hello.labels = world.options.labels(ofWorker: place)
        hello.journal = core.stamp.incarnation
        hello.slots = UInt16(slots)
        hello.kinds = SimulationOptions.kinds.map { Hello.Kind($0) }
        hello.resources = world.options.resources(ofWorker: place)
        return hello
    }

    private func send() {
        guard isAlive else { return }
        messagesOfTurn += 1
        if let crash = messagesUntilCrash {
            messagesUntilCrash?.left -= 1
            guard crash.left > 0 else {
                if messagesOfTurn > 1 || core.keptOutcomes > 0 { world.hit(crash.cause) }
                return world.workerEnded(self)
            }
        }
        let bytes = buffer.array()
        world.said(bytes, by: self)
        world.network.send(bytes, from: socket)
    }

    private func closeSocket() {
        if socket >= 0 { world.network.close(socket) }
        socket = -1
        inbox.removeAll()
    }
}
