import StatexHandlerAPI
import StatexProtocol
import StatexWorkerCore
import StatexZeroMQ
import Synchronization

/// A job in the queue for a slot. Its payload stands in the message that it came with.
struct QueuedLease: Sendable {
    let handle: LeaseHandle
    let id: JobID
    let payloadStart: Int
    let payloadLength: UInt32
    let runLimitMilliseconds: UInt32
    let attempt: UInt16
    let kind: UInt16
    let encoding: UInt8

    init(_ record: LeaseRecord, _ handle: LeaseHandle) {
        self.handle = handle
        id = record.id
        payloadStart = record.payloadStart
        payloadLength = record.payloadLength
        runLimitMilliseconds = record.runLimitMilliseconds
        attempt = record.attempt
        kind = record.kind
        encoding = record.encoding
    }
}

/// A job in a slot.
struct TakenJob: Sendable {
    let lease: QueuedLease
    /// The whole LEASES message: one copy for all of its jobs.
    let message: [UInt8]
    let startedAt: Int64
    let cancellation: Cancellation
}

/// Where the thread that owns the core and the slots meet: jobs go in, ended attempts come out. Its
/// mutex is the only one on a job's way, and a slot takes it once a job.
///
/// Whether a job has started is decided here: a job that was taken back never starts.
final class HandOff: Sendable {
    enum Next: Sendable {
        case job(TakenJob)
        case nothing
        case closed
    }

    private struct Slot {
        var job: QueuedLease?
        var startedAt: Int64 = 0
        var cancellation = Cancellation()
    }

    private struct State {
        var queue = LeaseQueue()
        var idle: [CheckedContinuation<Void, Never>] = []
        var slots: [Slot]
        var ended: [EndedAttempt] = []
        var isClosed = false
    }

    private let state: Mutex<State>
    private let wakeup: Wakeup

    init(slots: Int, wakeup: Wakeup) {
        self.wakeup = wakeup
        state = Mutex(State(slots: (0..<slots).map { _ in Slot() }))
    }

    // What the slots call.

    /// Puts the attempt that ended out, and takes the next job.
    func exchange(slot: Int, ended: consuming EndedAttempt?, at now: Int64) -> Next {
        var signals = false
        let next = state.withLock { state -> Next in
            if let attempt = ended.take() {
                state.slots[slot].job = nil
                // The first one wakes the owner, which takes all that have come by then.
                signals = state.ended.isEmpty
                state.ended.append(attempt)
            }
            guard !state.isClosed else { return .closed }
            guard let (lease, message) = state.queue.takeFirst() else { return .nothing }
            // The owner must set a timer.
            if lease.runLimitMilliseconds > 0 { signals = true }
            // A handler may have kept the last one; then it gets one of its own.
            if !isKnownUniquelyReferenced(&state.slots[slot].cancellation) || !state.slots[slot].cancellation.isUnused {
                state.slots[slot].cancellation = Cancellation()
            }
            state.slots[slot].job = lease
            state.slots[slot].startedAt = now
            return .job(
                TakenJob(
                    lease: lease, message: message, startedAt: now, cancellation: state.slots[slot].cancellation))
        }
        if signals { wakeup.signal() }
        return next
    }

    /// Suspends an idle slot until there may be a job.
    func waitForJobs() async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state -> Bool in
                if state.isClosed || !state.queue.isEmpty { return true }
                state.idle.append(continuation)
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    // What the owner of the core calls.

    func queue(_ leases: [QueuedLease], message: [UInt8]) {
        let woken = state.withLock { state in
            state.queue.append(leases, message: message)
            let count = min(state.idle.count, leases.count)
            let woken = Array(state.idle.suffix(count))
            state.idle.removeLast(count)
            return woken
        }
        for slot in woken { slot.resume() }
    }

    /// Moves the attempts that ended into `ended` (emptied first), and tells what runs since when.
    func collect(ended: inout [EndedAttempt], running: (LeaseHandle, Int64) -> Void) {
        ended.removeAll(keepingCapacity: true)
        state.withLock { state in
            swap(&state.ended, &ended)
            for slot in state.slots {
                if let job = slot.job { running(job.handle, slot.startedAt) }
            }
        }
    }

    /// Takes those of `leases` out of the queue that no slot has taken, and returns them.
    func withdraw(_ leases: Set<LeaseHandle>) -> [LeaseHandle] {
        state.withLock { $0.queue.remove(leases) }
    }

    /// What tells the running attempt to stop, or nil if it does not run.
    func cancellation(of lease: LeaseHandle) -> Cancellation? {
        state.withLock { state in
            state.slots.first { $0.job?.handle == lease }?.cancellation
        }
    }

    /// Sends the slots home once they are idle.
    func close() {
        let idle = state.withLock { state in
            state.isClosed = true
            defer { state.idle = [] }
            return state.idle
        }
        for slot in idle { slot.resume() }
    }
}

/// Jobs in the order of their arrival, message by message.
private struct LeaseQueue {
    private struct Batch {
        var message: [UInt8]
        var leases: [QueuedLease]
        var next = 0
    }

    private var batches: [Batch] = []
    private var head = 0

    var isEmpty: Bool { head == batches.count }

    mutating func append(_ leases: [QueuedLease], message: [UInt8]) {
        guard !leases.isEmpty else { return }
        batches.append(Batch(message: message, leases: leases))
    }

    mutating func takeFirst() -> (QueuedLease, [UInt8])? {
        guard head < batches.count else { return nil }
        let next = batches[head].next
        let lease = batches[head].leases[next]
        let message = batches[head].message
        if next + 1 < batches[head].leases.count {
            batches[head].next = next + 1
        } else {
            batches[head].message = []
            batches[head].leases = []
            head += 1
            compact()
        }
        return (lease, message)
    }

    mutating func remove(_ unwanted: Set<LeaseHandle>) -> [LeaseHandle] {
        var removed: [LeaseHandle] = []
        for index in head..<batches.count {
            batches[index].leases.removeFirst(batches[index].next)
            batches[index].next = 0
            batches[index].leases.removeAll { lease in
                guard unwanted.contains(lease.handle) else { return false }
                removed.append(lease.handle)
                return true
            }
        }
        batches.removeFirst(head)
        head = 0
        batches.removeAll { $0.leases.isEmpty }
        return removed
    }

    /// Moves the rest to the front when most of the array is used up: once in many calls.
    private mutating func compact() {
        if head == batches.count {
            batches.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64, head * 2 >= batches.count {
            batches.removeFirst(head)
            head = 0
        }
    }
}
