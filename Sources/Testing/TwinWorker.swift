import Dispatch
import StatexHandlerAPI
import StatexProtocol
import StatexWorkerCore
import StatexWorkerRuntime

/// The worker: the real core, and slots that run handlers. It speaks to the scheduler in a worker's messages,
/// and is told by calls what a worker is told by messages.
struct TwinWorker: ~Copyable {
    private struct Attempt {
        let handle: LeaseHandle
        let cancellation: Cancellation
    }

    /// Leased, and not in a slot yet.
    private struct Waiting {
        let handle: LeaseHandle
        let lease: LeaseRecord
        let payload: [UInt8]
        let inputs: [LeaseInput]
        let checkpoint: [UInt8]?
        let trace: TraceContext?
    }

    let hello: Hello
    private var core: WorkerCore
    private var out = Outbox()
    private let slots: [HandlerSlot]
    private let reports: ReportDesk
    /// By slot.
    private var running: [Attempt?]
    private var waiting: [Waiting] = []

    static func hello(_ handlers: [any Handler], slots: Int) async -> Hello {
        var hello = Hello(role: .worker, incarnation: .random(in: 1 ... .max), name: "twin")
        hello.slots = UInt16(slots)
        for handler in handlers {
            let reason = await handler.unavailable()
            let words = reason.map { $0.isEmpty ? "no reason was given" : ResultRules.text($0, 1_024) }
            hello.kinds.append(Hello.Kind(handler.kind, unavailable: words ?? ""))
        }
        return hello
    }

    init(_ hello: Hello, slots: [HandlerSlot], reports: ReportDesk) {
        self.hello = hello
        self.reports = reports
        self.slots = slots
        running = Array(repeating: nil, count: slots.count)
        var settings = WorkerSettings(slots: slots.count, kinds: hello.kinds.count)
        // A lease comes only when a slot is free: so jobs start in the order of their priorities.
        settings.prefetch = 0
        core = WorkerCore(settings, seed: hello.incarnation)
    }

    var isIdle: Bool { waiting.isEmpty && running.allSatisfy { $0 == nil } }
    var nextDeadline: Int64 { core.nextDeadline }

    /// Looks at the time, does what came out, and puts what waits into free slots.
    mutating func tick(at now: Int64) {
        takeReports(at: now)
        core.tick(at: now, into: &out)
        stopJobs(at: now)
        for (index, slot) in slots.enumerated() where running[index] == nil && !waiting.isEmpty {
            start(waiting.removeFirst(), in: slot, index, at: now)
        }
    }

    private mutating func start(_ next: Waiting, in slot: HandlerSlot, _ index: Int, at now: Int64) {
        let (lease, kind) = (next.lease, Int(next.lease.kind))
        let attempt = Attempt(handle: next.handle, cancellation: Cancellation())
        core.started(next.handle, at: now)
        running[index] = attempt
        let isReference = lease.encoding == Encoding.object.rawValue
        let job = Job(
            id: lease.id, kind: hello.kinds[kind].name, attempt: Int(lease.attempt),
            payload: isReference ? .object(reference: next.payload) : .bytes(next.payload),
            inputs: next.inputs.map(JobInput.init),
            runLimitMilliseconds: Int(lease.runLimitMilliseconds), cancellation: attempt.cancellation,
            checkpoint: next.checkpoint, trace: next.trace, listener: reports, number: next.handle.number)
        slot.run(
            job, kind: kind, EndedAttempt(next.handle, startedAt: now, endedAt: now, ending: .succeeded))
    }

    private mutating func stopJobs(at now: Int64) {
        guard !out.withdrawals.isEmpty || !out.stops.isEmpty else { return }
        for handle in out.withdrawals + out.stops {
            guard let place = waiting.firstIndex(where: { $0.handle == handle }) else { continue }
            waiting.remove(at: place)
            core.withdrawn(handle, at: now, into: &out)
        }
        for (handle, reason) in zip(out.stops, out.stopReasons) {
            guard let attempt = running.first(where: { $0?.handle == handle }) ?? nil else { continue }
            Self.cancel(attempt, reason == .cancelled ? .cancelled : reason == .timeout ? .timeout : .revoked)
        }
        core.jobsStopped(into: &out)
    }

    /// Not on this thread: what a handler does when it is told to stop may block.
    private static func cancel(_ attempt: Attempt, _ reason: Cancellation.Reason) {
        DispatchQueue.global().async { attempt.cancellation.cancel(reason) }
    }

    /// What an attempt that ended had said counts before its end.
    private mutating func takeReports(at now: Int64) {
        guard !reports.isEmpty else { return }
        for report in reports.take() { core.reported(report, at: now, into: &out) }
    }

    /// The twin ends.
    mutating func stopAll() {
        waiting = []
        for attempt in running { if let attempt { Self.cancel(attempt, .revoked) } }
    }

    // MARK: What it is told

    mutating func welcomed(_ stamp: SessionStamp, at now: Int64) {
        // Nothing is ever between the two: a heartbeat is for form's sake, and comes as rarely as it can.
        let welcome = Welcome(
            stamp: stamp, heartbeatMilliseconds: .max - 1, leaseMilliseconds: .max, lastSequence: 0)
        core.welcomed(welcome, at: now, into: &out)
    }

    mutating func heard(_ header: Header, at now: Int64) { _ = core.accepts(header, at: now) }

    mutating func leased(
        _ lease: LeaseRecord, payload: [UInt8], inputs: [LeaseInput], checkpoint: [UInt8]?, trace: TraceContext?,
        at now: Int64
    ) {
        guard let handle = core.leased(lease, at: now, into: &out) else { return }
        waiting.append(
            Waiting(
                handle: handle, lease: lease, payload: payload, inputs: inputs, checkpoint: checkpoint, trace: trace))
    }

    mutating func ended(slot: Int, _ attempt: EndedAttempt, at now: Int64) {
        guard running[slot] != nil else { return }
        running[slot] = nil
        takeReports(at: now)
        var attempt = attempt
        attempt.endedAt = now
        core.ended(attempt, at: now, into: &out)
    }

    mutating func becameDurable(_ record: TokenRecord, at now: Int64) {
        core.becameDurable(record, incarnation: core.stamp.incarnation, at: now)
    }

    mutating func becameStale(_ record: TokenRecord, tokensOf: UInt64) {
        core.becameStale(record, incarnation: tokensOf)
    }

    mutating func revoked(_ record: TokenRecord, tokensOf: UInt64) {
        core.revoked(record, incarnation: tokensOf, into: &out)
    }

    mutating func followed(_ record: TokenRecord, tokensOf: UInt64) {
        core.followed(record, incarnation: tokensOf)
    }

    mutating func checkpointed(_ record: TokenRecord, tokensOf: UInt64) {
        core.checkpointed(record, incarnation: tokensOf)
    }

    mutating func offersWanted() { core.offersWanted(into: &out) }

    // MARK: What it says

    /// Writes its next message into `message`.
    /// - Returns: false if it has nothing to say.
    mutating func nextMessage(into message: inout ByteBuffer, at now: Int64) -> Bool {
        message.removeAll()
        // There is no socket to close or to open.
        out.socketClosed()
        out.socketOpened()
        if out.hello {
            out.hello = false
            hello.write(to: &message)
        } else if !core.isConnected {
            return false
        } else if out.heartbeat {
            out.heartbeat = false
            core.heartbeat.write(to: &message, stamp: core.stamp)
        } else if core.packClaims(from: &out, to: &message) || core.packReports(from: &out, to: &message)
            || core.packCheckpoints(from: &out, to: &message) || core.packOutcomes(from: &out, to: &message, at: now)
        {
            return true
        } else if out.credit {
            core.packCredit(from: &out, to: &message)
        }
        return !message.isEmpty
    }
}
