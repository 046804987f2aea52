import StatexHandlerAPI
import StatexProtocol
import StatexWorkerCore
import Synchronization

/// A job that has begun in a slot.
struct StartedJob: Sendable {
    let lease: QueuedLease
    let payload: [UInt8]
    /// The lease's inputs as they stand in its message.
    let inputs: [UInt8]
    let checkpoint: [UInt8]?
    let startedAt: Int64
    let cancellation: Cancellation
}

/// What lies before one slot: the job that runs, those that it took along, and the attempts that ended.
///
/// Its mutex is taken once a job by the slot, and now and then by the owner of the core, so it is nearly always
/// free. Whoever holds the hand-off's mutex too took that one first.
final class SlotDesk: Sendable {
    /// Jobs do not wait for longer behind one that runs, while another slot could have them.
    static let patience: Int64 = 1_000_000

    /// What has not begun.
    enum Rest {
        case nothing
        /// It stays until then.
        case waiting(until: Int64)
        /// It waited for too long, and is no longer here.
        case overdue(Handful)
    }

    private struct State {
        /// Not begun, in order.
        var waiting = Handful()
        var takenAt: Int64 = 0
        var running: (lease: LeaseHandle, since: Int64)?
        var cancellation = Cancellation()
        var ended: [EndedAttempt] = []
        /// Jobs that run together, in place of the one that runs.
        var batch: [(lease: LeaseHandle, cancellation: Cancellation)] = []
        var batchSince: Int64 = 0
    }

    private let state = Mutex(State())

    // What the slot calls.

    /// Puts the attempt that ended out, and begins the next job, if one is left here.
    func exchange(ended: consuming EndedAttempt?, at now: Int64) -> StartedJob? {
        state.withLock { state in
            if let attempt = ended.take() {
                state.running = nil
                state.ended.append(attempt)
            }
            return Self.begin(&state, at: now)
        }
    }

    /// Lays jobs down and begins the first.
    func take(_ jobs: Handful, at now: Int64) -> StartedJob? {
        state.withLock { state in
            state.waiting = jobs
            state.takenAt = now
            return Self.begin(&state, at: now)
        }
    }

    /// Begins jobs that run together.
    func take(batch: Handful, at now: Int64) -> [StartedJob] {
        let jobs = batch.leases.map { Self.started($0, in: batch.message, at: now, Cancellation()) }
        state.withLock { state in
            state.batch = jobs.map { ($0.lease.handle, $0.cancellation) }
            state.batchSince = now
        }
        return jobs
    }

    /// Puts the attempts of a batch out.
    func put(endedBatch: [EndedAttempt]) {
        state.withLock { state in
            state.batch = []
            state.ended.append(contentsOf: endedBatch)
        }
    }

    private static func begin(_ state: inout State, at now: Int64) -> StartedJob? {
        guard let lease = state.waiting.leases.popFirst() else { return nil }
        let message = state.waiting.message
        if state.waiting.isEmpty { state.waiting = Handful() }
        // A handler may have kept the last one; then the next gets one of its own.
        if !isKnownUniquelyReferenced(&state.cancellation) || !state.cancellation.isUnused {
            state.cancellation = Cancellation()
        }
        state.running = (lease.handle, now)
        return started(lease, in: message, at: now, state.cancellation)
    }

    private static func started(
        _ lease: QueuedLease, in message: [UInt8], at now: Int64, _ cancellation: Cancellation
    ) -> StartedJob {
        let end = lease.payloadStart + Int(lease.payloadLength)
        let payload = message.span.bytes.array(lease.payloadStart..<end)
        let inputsEnd = end + Int(lease.inputsLength)
        let inputs = lease.inputs == 0 ? [] : message.span.bytes.array(end..<inputsEnd)
        let checkpoint = lease.hasCheckpoint ? Self.checkpoint(in: message, at: inputsEnd) : nil
        return StartedJob(
            lease: lease, payload: payload, inputs: inputs, checkpoint: checkpoint, startedAt: now,
            cancellation: cancellation)
    }

    private static func checkpoint(in message: [UInt8], at start: Int) -> [UInt8] {
        let bytes = message.span.bytes
        return bytes.array(start + 4..<start + 4 + Int(bytes.integer(UInt32.self, at: start)))
    }

    // What the owner of the core calls.

    /// Moves the attempts that ended to `ended`, and tells what runs since when.
    func collect(ended: inout [EndedAttempt], at now: Int64, running: (LeaseHandle, Int64) -> Void) -> Rest {
        state.withLock { state in
            if ended.isEmpty {
                swap(&ended, &state.ended)
            } else {
                ended.append(contentsOf: state.ended)
                state.ended.removeAll(keepingCapacity: true)
            }
            if let (lease, since) = state.running { running(lease, since) }
            for job in state.batch { running(job.lease, state.batchSince) }
            guard !state.waiting.isEmpty else { return .nothing }
            let due = state.takenAt + Self.patience
            guard due <= now else { return .waiting(until: due) }
            defer { state.waiting = Handful() }
            return .overdue(state.waiting)
        }
    }

    /// Takes out those that are `unwanted` and have not begun, and adds them to `removed`.
    func remove(_ unwanted: Set<LeaseHandle>, into removed: inout [LeaseHandle]) {
        state.withLock { $0.waiting.remove(unwanted, into: &removed) }
    }

    /// Nothing that waits here begins any more.
    func clear() { state.withLock { $0.waiting = Handful() } }

    /// What tells the running attempt to stop, or nil if it is not this one that runs.
    func cancellation(of lease: LeaseHandle) -> Cancellation? {
        state.withLock { state in
            if state.running?.lease == lease { return state.cancellation }
            return state.batch.first { $0.lease == lease }?.cancellation
        }
    }
}
