import StatexHandlerAPI
import StatexWorkerCore
import StatexZeroMQ
import Synchronization

/// Where the thread that owns the core and the slots meet: jobs go in, ended attempts come out.
///
/// A slot takes several jobs at once if they are over in no time, and works them off at its own desk: so the
/// queue's mutex, which all slots share, is taken once for a handful. Whether a job has started is decided at
/// the desk: one that was taken back never starts.
final class HandOff: Sendable {
    enum Next: Sendable {
        case job(StartedJob)
        /// Jobs that run together.
        case batch([StartedJob])
        case nothing
        case closed
    }

    private struct State {
        var queue = LeaseQueue()
        var idle: [CheckedContinuation<Void, Never>] = []
        /// Slots whose desk the owner has to look at, each once.
        var unseen: [Int] = []
        var isUnseen: [Bool]
        /// From a signal until the owner looks: more signals would say the same.
        var isOwnerCalled = false
        var isClosed = false

        mutating func markUnseen(_ slot: Int) {
            guard !isUnseen[slot] else { return }
            isUnseen[slot] = true
            unseen.append(slot)
        }

        mutating func takeUnseen() -> [Int] {
            isOwnerCalled = false
            for slot in unseen { isUnseen[slot] = false }
            defer { unseen = [] }
            return unseen
        }
    }

    private let desks: [SlotDesk]
    private let state: Mutex<State>
    private let wakeup: Wakeup

    init(slots: Int, wakeup: Wakeup) {
        self.wakeup = wakeup
        desks = (0..<slots).map { _ in SlotDesk() }
        state = Mutex(State(isUnseen: Array(repeating: false, count: slots)))
    }

    // What the slots call.

    /// Puts the attempt that ended out, and begins the next job.
    func exchange(slot: Int, ended: consuming EndedAttempt?, at now: Int64) -> Next {
        let desk = desks[slot]
        var callsOwner = ended != nil
        if let job = desk.exchange(ended: ended.take(), at: now) { return .job(job) }
        let (next, signals) = state.withLock { state -> (Next, Bool) in
            var next = Next.nothing
            if state.isClosed {
                next = .closed
            } else if state.queue.isBatchNext, let batch = state.queue.take() {
                next = .batch(desk.take(batch: batch, at: now))
                callsOwner = true
            } else if let jobs = state.queue.take(), let first = desk.take(jobs, at: now) {
                // Taken before the queue is free again, so that at any time a job is in one of the two.
                next = .job(first)
                // A timer must be set, or the first one may keep the others waiting.
                if first.lease.runLimitMilliseconds > 0 || jobs.leases.count > 1 { callsOwner = true }
            }
            state.markUnseen(slot)
            let signals = callsOwner && !state.isOwnerCalled
            if signals { state.isOwnerCalled = true }
            return (next, signals)
        }
        if signals { wakeup.signal() }
        return next
    }

    /// Puts the attempts of a batch that ended out.
    func put(slot: Int, endedBatch: [EndedAttempt]) {
        desks[slot].put(endedBatch: endedBatch)
        let signals = state.withLock { state in
            state.markUnseen(slot)
            defer { state.isOwnerCalled = true }
            return !state.isOwnerCalled
        }
        if signals { wakeup.signal() }
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

    /// Queues jobs, and wakes as many idle slots as they are worth.
    func queue(_ leases: [QueuedLease], message: [UInt8]) {
        queue(Handful(leases: leases[...], message: message))
    }

    func queue(_ jobs: Handful) {
        wake { state in
            state.queue.append(jobs)
            return jobs.handfuls
        }
    }

    /// Moves the attempts that ended into `ended` (emptied first), and tells what runs since when. Jobs that wait
    /// behind one that runs for longer than its kind does become anybody's again.
    /// - Returns: when the owner must look again at the latest, because jobs wait behind another; or nil.
    func collect(ended: inout [EndedAttempt], at now: Int64, running: (LeaseHandle, Int64) -> Void) -> Int64? {
        ended.removeAll(keepingCapacity: true)
        let unseen = state.withLock { $0.takeUnseen() }
        var lookAgain: Int64?
        var waiting: [Int] = []
        var overdue: [Handful] = []
        // The desks are looked at while the queue is free.
        for slot in unseen {
            switch desks[slot].collect(ended: &ended, at: now, running: running) {
            case .nothing: break
            case .waiting(let due):
                waiting.append(slot)
                lookAgain = min(lookAgain ?? due, due)
            case .overdue(let jobs): overdue.append(jobs)
            }
        }
        guard !waiting.isEmpty || !overdue.isEmpty else { return nil }
        wake { state in
            for slot in waiting { state.markUnseen(slot) }
            for jobs in overdue { state.queue.prepend(jobs) }
            return overdue.reduce(0) { $0 + $1.handfuls }
        }
        return lookAgain
    }

    /// Wakes idle slots: as many as `change` says.
    private func wake(after change: (inout State) -> Int) {
        let woken = state.withLock { state in
            let count = change(&state)
            // The last ones: their threads slept the shortest time.
            let woken = Array(state.idle.suffix(count))
            state.idle.removeLast(woken.count)
            return woken
        }
        for slot in woken { slot.resume() }
    }

    /// Withdraws those of `leases` that have not begun, and returns them.
    func withdraw(_ leases: Set<LeaseHandle>) -> [LeaseHandle] {
        state.withLock { state in
            var removed: [LeaseHandle] = []
            state.queue.remove(leases, into: &removed)
            for desk in desks { desk.remove(leases, into: &removed) }
            return removed
        }
    }

    /// What tells the running attempt to stop, or nil if it does not run.
    func cancellation(of lease: LeaseHandle) -> Cancellation? {
        for desk in desks {
            if let cancellation = desk.cancellation(of: lease) { return cancellation }
        }
        return nil
    }

    /// Sends the slots home once they are idle.
    func close() {
        let idle = state.withLock { state in
            state.isClosed = true
            for desk in desks { desk.clear() }
            defer { state.idle = [] }
            return state.idle
        }
        for slot in idle { slot.resume() }
    }
}
