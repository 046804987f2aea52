import StatexMetrics
import StatexProtocol

/// A worker as a value: which leases it holds, which outcomes it keeps, what it may believe, how much
/// it asks for, and how it ends.
///
/// It is driven by a shell: one method an event, in the past tense, with the time in nanoseconds of a
/// clock that never steps. What is to be done comes out in an `Outbox`. It opens no socket, reads no
/// clock, knows no handler; jobs that wait are in the shell's queue, because the slots take from it, and
/// the shell tells what was started, ended or withdrawn.
package struct WorkerCore: ~Copyable {
    /// Where the worker's life stands.
    enum Phase: Equatable {
        /// Takes work. May become draining.
        case working
        /// Takes none, and lets what runs finish until this time; then stopping.
        case draining(until: Int64)
        /// Told what runs to stop; at this time it is given up. Then delivering.
        case stopping(until: Int64)
        /// Nothing runs; outcomes become durable until this time. Then finished.
        case delivering(until: Int64)
        /// Said goodbye.
        case finished
    }

    let settings: WorkerSettings
    var link: Link
    var table = LeaseTable()
    var policy: CreditPolicy
    var phase = Phase.working

    // Counts of rows by state, so that nothing is counted again on the way of a job.
    var waiting = 0
    var running = 0
    var kept = 0
    var waitingBytes = 0
    var keptBytes = 0
    /// Slots whose handler runs on although its lease was revoked.
    var stuck = 0
    /// Running leases with a run-time limit that has not passed: when it does, and whose it is.
    var limits: [(deadline: Int64, handle: LeaseHandle)] = []
    var nextLimit = Int64.max
    /// Leases that wait for their next REPORT or CHECKPOINT, and when the first of them is due.
    var reporting: [LeaseHandle] = []
    var nextReport = Int64.max
    var reportedCredit = 0
    /// The first CREDIT of a session says that everything of before was claimed or offered; so it goes
    /// out even if an OUTCOMES has told the number.
    var isResuming = false
    /// When the loop was last measured: once for each message, not for each of its records.
    var loopedAt = Int64.min

    package var counters = WorkerCounters()
    /// By kind.
    private(set) var attempts: [AttemptCounts]

    /// - Parameter seed: for the jitter of reconnects.
    package init(_ settings: WorkerSettings, seed: UInt64) {
        self.settings = settings
        link = Link(seed: seed)
        policy = CreditPolicy(settings)
        attempts = [AttemptCounts](repeating: AttemptCounts(), count: settings.kinds)
    }

    /// What HEARTBEAT says.
    package var heartbeat: Heartbeat { Heartbeat(held: UInt32(waiting + running), running: UInt32(running)) }
    package var stamp: SessionStamp { link.stamp }
    package var isConnected: Bool { link.isOpen }
    /// Outcomes that are not known to be durable.
    package var keptOutcomes: Int { kept }

    /// What a scrape shows.
    /// - Parameter kinds: their names.
    package func metrics(kinds: [String], at now: Int64) -> WorkerSnapshot {
        var snapshot = WorkerSnapshot(takenAt: now, slots: settings.slots)
        snapshot.running = running
        snapshot.held = waiting + running
        snapshot.credit = credit
        snapshot.keptOutcomes = kept
        snapshot.isConnected = isConnected
        snapshot.isDraining = phase != .working
        snapshot.kinds = Array(zip(kinds, attempts))
        return snapshot
    }

    mutating func count(_ ending: Ending, ofKind kind: UInt16, after nanoseconds: Int64) {
        // A lease of a kind that is not served here ends too.
        guard Int(kind) < attempts.count else { return }
        attempts[Int(kind)].ended(ending, after: nanoseconds)
    }

    /// The shell sleeps until then, or until something happens.
    package var nextDeadline: Int64 {
        var deadline = min(link.nextDeadline, nextLimit)
        if link.isOpen { deadline = min(deadline, nextReport) }
        switch phase {
        case .working: break
        case .draining(let until), .stopping(let until), .delivering(let until): deadline = min(deadline, until)
        case .finished: deadline = .max
        }
        return deadline
    }

    /// Called after each batch of events, and when `nextDeadline` has come.
    package mutating func tick(at now: Int64, into out: inout Outbox) {
        guard phase != .finished else { return }
        link.tick(at: now, into: &out)
        enforceRunLimits(at: now, into: &out)
        drainFurther(at: now, into: &out)
        offerReports(at: now, into: &out)
        reportCredit(into: &out)
    }

    /// How many jobs the worker is ready to hold, those it holds included.
    package var credit: Int {
        guard phase == .working, link.isOpen else { return 0 }
        return policy.credit(
            stuckSlots: stuck, waitingBytes: waitingBytes, keptCount: kept, keptBytes: keptBytes)
    }

    /// How long jobs of a kind that is known here run, in nanoseconds; nil: it was never measured.
    package func expectedRun(ofKind kind: UInt16) -> Int64? { policy.expectedRun(ofKind: kind) }

    /// A change under a quarter is not worth a message of its own: OUTCOMES carries the credit of a busy
    /// worker anyway. Where a few slots are all there is, each one counts.
    private mutating func reportCredit(into out: inout Outbox) {
        guard link.isOpen else { return }
        let credit = credit
        let change = abs(credit - reportedCredit)
        if change > 0, change * 4 >= reportedCredit || reportedCredit < 64 { out.credit = true }
    }
}
