import CLinux
import StatexHandlerAPI
import StatexKeys
import StatexLog
import StatexProtocol
import StatexWorkerCore
import StatexZeroMQ

import class Dispatch.DispatchQueue

/// The thread that owns the socket, the core and its timers: it takes in what arrived and what ended,
/// feeds it to the core, does what comes out, and sleeps until the next deadline. No handler runs here,
/// so nothing that a handler does can hold up a heartbeat.
struct WorkerLoop: ~Copyable {
    /// Frames taken in before outcomes go out: a flood of leases must not hold them up.
    private static let framesAtOnce = 16
    /// Half of what lies between two REPORTs of an attempt.
    private static let reportsPause = 50 * millisecond

    private let endpoint: String
    private var keys: PeerKeys?
    private var hello: Hello
    private let context: ZeroMQContext
    private let shared: WorkerShared
    private let log: Log
    private let onReady: (@Sendable () -> Void)?

    private var core: WorkerCore
    private var former: BatchFormer
    private var out = Outbox()
    private var connection: Connection?
    private var poller = Poller()
    private var frame = Frame()
    /// The message that is to be sent next; empty: none.
    private var message = ByteBuffer(capacity: 1 << 16)
    private var leases: [LeaseRecord] = []
    private var ended: [EndedAttempt] = []
    private var drainOrdersSeen = 0
    private var wasReady = false
    /// When the slots must be looked at again, if nothing wakes this thread before.
    private var nextLook = Int64.max
    /// Reports are taken no earlier: handlers may say something often.
    private var nextReports = Int64.min
    private var nextFigures = Int64.max

    init(
        endpoint: String, keys: PeerKeys?, hello: Hello, settings: WorkerSettings, former: BatchFormer,
        context: ZeroMQContext, shared: WorkerShared, log: Log, onReady: (@Sendable () -> Void)?
    ) {
        self.endpoint = endpoint
        self.keys = keys
        self.hello = hello
        self.context = context
        self.shared = shared
        self.log = log
        self.onReady = onReady
        self.former = former
        core = WorkerCore(settings, seed: hello.incarnation)
        if shared.figures != nil { nextFigures = .min }
    }

    /// Runs until the worker is drained or cannot go on.
    mutating func run() throws(WorkerError) {
        while true {
            let now = clinux_monotonic_nanoseconds()
            takeOrders(at: now)
            takeEnded(at: now)
            receive(at: now)
            for batch in former.takeDue(at: now) { shared.handOff.queue(batch) }
            core.tick(at: now, into: &out)
            stopJobs(at: now)
            if let failure = out.failure { throw .refused(failure.message) }
            flush(at: now)
            publishFigures(at: now)
            if out.goodbye { return try finish() }
            sleep()
        }
    }

    /// Once a second, so that a scrape neither waits for this thread nor gives it work.
    private mutating func publishFigures(at now: Int64) {
        guard let figures = shared.figures, now >= nextFigures else { return }
        nextFigures = now + second
        figures.publish(core.metrics(kinds: hello.kinds.map(\.name), at: now))
    }

    private mutating func takeOrders(at now: Int64) {
        let orders = shared.drainOrders.load(ordering: .acquiring)
        while drainOrdersSeen < orders {
            drainOrdersSeen += 1
            log.info("draining", ["held": "\(core.heartbeat.held)", "outcomes": "\(core.keptOutcomes)"])
            core.drainOrdered(at: now, into: &out)
        }
    }

    private mutating func takeEnded(at now: Int64) {
        let due = shared.handOff.collect(ended: &ended, at: now) { handle, startedAt in
            core.started(handle, at: startedAt)
        }
        nextLook = due ?? .max
        takeReports(at: now)
        for attempt in ended { core.ended(attempt, at: now, into: &out) }
    }

    /// What an attempt that ended had said counts before its end.
    private mutating func takeReports(at now: Int64) {
        guard !shared.reports.isEmpty else { return }
        guard now >= nextReports || !ended.isEmpty else {
            nextLook = min(nextLook, nextReports)
            return
        }
        nextReports = now + Self.reportsPause
        for report in shared.reports.take() { core.reported(report, at: now, into: &out) }
    }

    /// Takes jobs back from the queue, and tells running ones to stop.
    private mutating func stopJobs(at now: Int64) {
        guard !out.withdrawals.isEmpty || !out.stops.isEmpty else { return }
        let unwanted = Set(out.withdrawals).union(out.stops)
        var removed = shared.handOff.withdraw(unwanted)
        former.remove(unwanted, into: &removed)
        for handle in removed { core.withdrawn(handle, at: now, into: &out) }
        for (handle, reason) in zip(out.stops, out.stopReasons) {
            guard let cancellation = shared.handOff.cancellation(of: handle) else { continue }
            // Not on this thread: what a handler does when it is told to stop may block.
            DispatchQueue.global().async { cancellation.cancel(reason.asCancellation) }
        }
        core.jobsStopped(into: &out)
        core.tick(at: now, into: &out)
    }

    private mutating func receive(at now: Int64) {
        do throws(ZeroMQError) {
            for _ in 0..<Self.framesAtOnce {
                guard let received = try connection?.receive(into: frame), received else { break }
                read(at: now)
            }
            if try connection?.isRefused() == true { core.refused(at: now, into: &out) }
        } catch {
            log.warning("receiving failed", ["error": "\(error)"])
            core.disconnected("the socket failed", at: now, into: &out)
        }
    }

    private mutating func read(at now: Int64) {
        do throws(WireError) {
            let header = try Header(reading: frame.bytes)
            try act(on: header, at: now)
        } catch {
            log.warning("a message was not understood", ["error": error.message])
            core.misunderstood(at: now, into: &out)
        }
    }

    private mutating func act(on header: Header, at now: Int64) throws(WireError) {
        switch header.type {
        case .welcome:
            let welcome = try Welcome(reading: frame.bytes, header: header)
            core.welcomed(welcome, at: now, into: &out)
            if core.isConnected { welcomed(welcome) }
        case .fault:
            let fault = try Fault(reading: frame.bytes, header: header)
            log.warning("the scheduler reported a fault", ["code": "\(fault.code)", "text": fault.message])
            core.faulted(fault, at: now, into: &out)
        case .leases:
            if core.accepts(header, at: now) { try takeLeases(header, at: now) }
        case .durable, .stale, .revoke, .follow, .checkpointed:
            if core.accepts(header, at: now) { try takeTokens(header, at: now) }
        case .offerAgain:
            if core.accepts(header, at: now) { core.offersWanted(into: &out) }
        case .drain:
            guard core.accepts(header, at: now) else { return }
            log.info("draining, as an operator ordered", ["held": "\(core.heartbeat.held)"])
            core.drainWanted(into: &out)
        case .heartbeat:
            _ = core.accepts(header, at: now)
        case .goodbye:
            if core.accepts(header, at: now) {
                core.disconnected("the scheduler said goodbye", at: now, into: &out)
            }
        case .hello, .submit, .accepted, .refused, .await, .results, .cancel, .cancelled, .status, .statusReply,
            .order, .orderReply, .explain, .explanations, .credit, .outcomes, .claim, .kept, .progress, .report,
            .checkpoint, .events, .workerEvents:
            throw WireError(.type, "a worker is not sent messages of type \(header.type)")
        }
    }

    private mutating func welcomed(_ welcome: Welcome) {
        keys?.welcomed()
        log.info(
            "connected",
            [
                "endpoint": endpoint, "session": "\(welcome.stamp.session)", "epoch": "\(welcome.stamp.epoch)",
                "heartbeat_ms": "\(welcome.heartbeatMilliseconds)", "lease_ms": "\(welcome.leaseMilliseconds)",
            ])
        // Who hears that it is ready may ask at once.
        if shared.figures != nil { nextFigures = .min }
        if !wasReady { onReady?() }
        wasReady = true
    }

    /// The whole message is read before any of it counts.
    private mutating func takeLeases(_ header: Header, at now: Int64) throws(WireError) {
        leases.removeAll(keepingCapacity: true)
        var cursor = try header.recordCursor(atLeast: LeaseRecord.size)
        for _ in 0..<header.count {
            leases.append(try LeaseRecord(reading: &cursor, header: header, in: frame.bytes))
        }
        var queued: [QueuedLease] = []
        queued.reserveCapacity(leases.count)
        for lease in leases {
            guard let handle = core.leased(lease, at: now, into: &out) else { continue }
            let job = QueuedLease(
                lease, handle, expectedRun: core.expectedRun(ofKind: lease.kind), trace: try trace(of: lease))
            if former.forms(lease.kind) {
                let content = frame.bytes.array(lease.contentRange)
                let affinity = frame.bytes.array(lease.affinityRange)
                if let batch = former.add(job, content, affinity, at: now) { shared.handOff.queue(batch) }
            } else {
                queued.append(job)
            }
        }
        if !queued.isEmpty { shared.handOff.queue(queued, message: frame.bytes.array(0..<cursor.offset)) }
    }

    private func trace(of lease: LeaseRecord) throws(WireError) -> AttemptTrace? {
        guard lease.hasTrace else { return nil }
        var cursor = ByteCursor(at: lease.traceStart)
        return AttemptTrace(try LeaseTrace(reading: &cursor, in: frame.bytes), isRecorded: shared.spans != nil)
    }

    private mutating func takeTokens(_ header: Header, at now: Int64) throws(WireError) {
        var cursor = try header.recordCursor(atLeast: TokenRecord.size)
        for _ in 0..<header.count {
            let record = try TokenRecord(reading: &cursor, header: header, in: frame.bytes)
            switch header.type {
            case .durable: core.becameDurable(record, incarnation: header.incarnation, at: now)
            case .stale: core.becameStale(record, incarnation: header.incarnation)
            case .follow: core.followed(record, incarnation: header.incarnation)
            case .checkpointed: core.checkpointed(record, incarnation: header.incarnation)
            default: core.revoked(record, incarnation: header.incarnation, into: &out)
            }
        }
    }

    /// Sends what is to be sent, in order, as far as the socket takes it.
    private mutating func flush(at now: Int64) {
        do throws(ZeroMQError) {
            try renewConnection()
            while connection != nil {
                if message.isEmpty { packNext(at: now) }
                guard !message.isEmpty else { return }
                guard try connection?.send(message.bytes) == .sent else { return }
                message.removeAll()
            }
        } catch {
            log.warning("the connection failed", ["endpoint": endpoint, "error": "\(error)"])
            core.disconnected("the socket failed", at: now, into: &out)
        }
    }

    private mutating func renewConnection() throws(ZeroMQError) {
        if let reason = out.closeReason {
            log.warning("disconnected", ["endpoint": endpoint, "reason": "\(reason)"])
            connection = nil
            out.socketClosed()
        }
        // What was packed for an earlier session is offered again in the next one.
        if out.hello { message.removeAll() }
        if out.opensSocket {
            connection = nil
            connection = try Connection(to: endpoint, with: &keys, in: context)
            out.socketOpened()
        }
    }

    private mutating func packNext(at now: Int64) {
        if out.hello {
            out.hello = false
            hello.journal = core.stamp.incarnation
            hello.write(to: &message)
        } else if !core.isConnected {
            return
        } else if out.heartbeat {
            out.heartbeat = false
            core.heartbeat.write(to: &message, stamp: core.stamp)
        } else if core.packClaims(from: &out, to: &message) || core.packKept(from: &out, to: &message)
            || core.packReports(from: &out, to: &message) || core.packCheckpoints(from: &out, to: &message)
            || core.packOutcomes(from: &out, to: &message, at: now)
        {
            return
        } else if out.credit {
            core.packCredit(from: &out, to: &message)
        }
    }

    private mutating func finish() throws(WorkerError) {
        if core.isConnected, message.isEmpty {
            Bare.write(.goodbye, stamp: core.stamp, to: &message)
            _ = try? connection?.send(message.bytes)
            connection?.lingerBriefly()
        }
        connection = nil
        guard core.keptOutcomes == 0 else { throw .undelivered(outcomes: core.keptOutcomes) }
        log.info("drained")
    }

    private mutating func sleep() {
        poller.removeAll()
        poller.add(descriptor: shared.wakeup.descriptor)
        connection?.poll(with: &poller, orWritable: !message.isEmpty)
        let wait = min(core.nextDeadline, nextLook, former.nextDue, nextFigures) - clinux_monotonic_nanoseconds()
        // Rounded up, so that the loop does not spin through the last millisecond.
        let milliseconds = wait <= 0 ? 0 : Int(min((wait - 1) / millisecond + 1, 60_000))
        do throws(ZeroMQError) {
            if try poller.wait(milliseconds: milliseconds), poller.isReadable(0) { shared.wakeup.clear() }
        } catch {
            log.error("waiting failed", ["error": "\(error)"])
        }
    }
}

extension StopReason {
    /// What a handler is told. (`none` is never sent.)
    var asCancellation: Cancellation.Reason {
        switch self {
        case .cancelled: .cancelled
        case .timeout: .timeout
        case .revoked, .drained, .none: .revoked
        }
    }
}
