import StatexProtocol

// What a commit tells the world: its events, made from its rows alone and in an order that the rows give. The
// scheduler makes them when the commit is durable, a reader of the journal makes the same ones later.
//
// The order: by job id, and of one job by token, a lease before its outcome, and last an outcome without a
// lease. A request's own events stand around those of its jobs: `request.created` before, its end behind.

/// One event. Kind and tenant are numbers of who made it: the core's indices, or the journal's names.
package struct CommitEvent: Sendable, Equatable {
    package var type: EventType
    package var ending: Ending?
    package var index: UInt16
    /// Of a job: which attempt, 0: none. Of a request: how many jobs it has.
    package var number: UInt16
    package var kind: Int32
    package var tenant: Int32
    package var id: UInt64
    package var request: UInt64
    /// Microseconds since 1970.
    package var at: Int64
    package var lease: CommitBatch.EndedLease
}

/// What is known of a job beside what the row that speaks of it says.
package struct EventJob: Sendable {
    package var kind: Int32
    package var tenant: Int32
    package var request: UInt64
    package var index: UInt16
    package var count: UInt16
    package var isRetryByHand: Bool

    package init(kind: Int32, tenant: Int32, request: UInt64, index: UInt16, count: UInt16, isRetryByHand: Bool) {
        self.kind = kind
        self.tenant = tenant
        self.request = request
        self.index = index
        self.count = count
        self.isRetryByHand = isRetryByHand
    }

    /// Of a row that brings it along: no retry by hand.
    fileprivate init?(_ id: UInt64, _ subject: CommitBatch.Subject?) {
        guard let subject else { return nil }
        self.init(
            kind: subject.kind, tenant: subject.tenant, request: id - UInt64(subject.index), index: subject.index,
            count: subject.count, isRetryByHand: false)
    }
}

/// Who knows the jobs that a commit's rows speak of: asked for those whose rows bring nothing along.
package protocol EventFacts: ~Copyable {
    /// - Parameter slot: of the row; below 0: by the id alone.
    mutating func eventJob(_ id: UInt64, at slot: Int32) -> EventJob?
    /// How the request of a job stood before this commit.
    mutating func standing(ofRequestOf id: UInt64, at slot: Int32) -> RequestStanding?
    /// An outcome's lease, where the row itself does not say it.
    mutating func lease(of row: CommitBatch.OutcomeRow) -> CommitBatch.EndedLease
}

/// The events of one commit; its storage serves the next.
package struct CommitEvents: Sendable {
    package private(set) var all: [CommitEvent] = []
    private var at: Int64 = 0
    /// The request of several jobs whose rows are being looked at.
    private var current: (request: UInt64, count: UInt16, standing: RequestStanding)?

    package init() {}

    package mutating func removeAll() { all.removeAll(keepingCapacity: true) }

    /// Makes the events of a commit.
    ///
    /// - Parameters:
    ///   - jobs: by rising id.
    ///   - leases: in any order, as the outcomes; those of the journal are sorted by id.
    package mutating func derive<Facts: EventFacts & ~Copyable>(
        jobs: [CommitBatch.JobRow], leases: [CommitBatch.LeaseRow], outcomes: [CommitBatch.OutcomeRow], at: Int64,
        from facts: inout Facts
    ) {
        removeAll()
        self.at = at
        let leases = leases.isInEventOrder(by: { $0.place }) ? leases : leases.sorted { $0.place < $1.place }
        let outcomes = outcomes.isInEventOrder(by: { $0.place }) ? outcomes : outcomes.sorted { $0.place < $1.place }
        var (job, lease, outcome) = (0, 0, 0)
        while job < jobs.count || lease < leases.count || outcome < outcomes.count {
            let nextLease = lease < leases.count ? leases[lease].place : .end
            let nextOutcome = outcome < outcomes.count ? outcomes[outcome].place : .end
            if job < jobs.count, jobs[job].id <= min(nextLease.id, nextOutcome.id) {
                created(jobs[job], &facts)
                job += 1
            } else if nextLease.id < nextOutcome.id
                || nextLease.id == nextOutcome.id && nextLease.key <= nextOutcome.key
            {
                leased(leases[lease], &facts)
                lease += 1
            } else {
                ended(outcomes[outcome], &facts)
                outcome += 1
            }
        }
        leaveRequest()
    }

    private mutating func created<Facts: EventFacts & ~Copyable>(_ row: CommitBatch.JobRow, _ facts: inout Facts) {
        guard JobOpts.index(row.opts) == 0, let job = EventJob(row.id, row.subject) ?? facts.eventJob(row.id, at: -1),
            !job.isRetryByHand
        else { return }
        leaveRequest(before: row.id)
        all.append(
            CommitEvent(
                type: .requestCreated, ending: nil, index: 0, number: job.count, kind: job.kind, tenant: job.tenant,
                id: row.id, request: row.id, at: at, lease: .none))
    }

    private mutating func leased<Facts: EventFacts & ~Copyable>(_ row: CommitBatch.LeaseRow, _ facts: inout Facts) {
        guard let job = EventJob(row.id, row.subject) ?? facts.eventJob(row.id, at: row.slot) else { return }
        leaveRequest(before: row.id)
        let lease = CommitBatch.EndedLease(worker: row.worker, workerIndex: row.workerIndex, attempt: row.attempt)
        append(.jobLeased, row.id, job, lease, at: at)
    }

    private mutating func ended<Facts: EventFacts & ~Copyable>(_ row: CommitBatch.OutcomeRow, _ facts: inout Facts) {
        guard let job = EventJob(row.id, row.subject) ?? facts.eventJob(row.id, at: row.slot) else { return }
        leaveRequest(before: row.id)
        let type: EventType
        if let final = row.final, let told = EventType(final: final) {
            type = told
        } else if row.ending == .failed || row.ending == .lost {
            type = .jobRetried
        } else {
            // Handed back: the attempt is as if it had not been.
            return
        }
        append(
            type, row.id, job, facts.lease(of: row), at: at - Int64(row.ended * 1_000_000), ending: row.ending)
        guard let final = row.final, !job.isRetryByHand else { return }
        if job.count == 1 {
            var standing = RequestStanding(kind: job.kind, tenant: job.tenant, open: 1)
            standing.ended(as: final)
            requestEnded(row.id, 1, standing)
        } else {
            if current == nil, let standing = facts.standing(ofRequestOf: row.id, at: row.slot) {
                current = (job.request, job.count, standing)
            }
            current?.standing.ended(as: final)
        }
    }

    private mutating func append(
        _ type: EventType, _ id: UInt64, _ job: EventJob, _ lease: CommitBatch.EndedLease, at time: Int64,
        ending: Ending? = nil
    ) {
        all.append(
            CommitEvent(
                type: type, ending: ending, index: job.isRetryByHand ? EventRecord.retriedByHand : job.index,
                number: lease.attempt, kind: job.kind, tenant: job.tenant, id: id, request: job.request, at: time,
                lease: lease))
    }

    /// The rows of a request stand together: once another's come, all that this commit says of it is said.
    private mutating func leaveRequest(before id: UInt64 = .max) {
        guard let request = current, id >= request.request + UInt64(request.count) else { return }
        current = nil
        if request.standing.open == 0 { requestEnded(request.request, request.count, request.standing) }
    }

    private mutating func requestEnded(_ request: UInt64, _ count: UInt16, _ standing: RequestStanding) {
        let type: EventType
        switch standing.state {
        case .open: return
        case .succeeded: type = .requestCompleted
        case .failed: type = .requestFailed
        case .cancelled: type = .requestCancelled
        }
        all.append(
            CommitEvent(
                type: type, ending: nil, index: 0, number: count, kind: standing.kind, tenant: standing.tenant,
                id: request, request: request, at: at, lease: .none))
    }
}

/// Where a row stands among those of its commit.
private struct Place: Comparable {
    var id: UInt64
    var key: UInt64

    static let end = Place(id: .max, key: .max)

    static func < (left: Place, right: Place) -> Bool {
        left.id != right.id ? left.id < right.id : left.key < right.key
    }
}

extension CommitBatch.LeaseRow {
    fileprivate var place: Place { Place(id: id, key: token) }
}

extension CommitBatch.OutcomeRow {
    /// Without a lease it is the job's last.
    fileprivate var place: Place { Place(id: id, key: token == 0 ? .max : token) }
}

extension Array {
    fileprivate func isInEventOrder(by place: (Element) -> Place) -> Bool {
        for index in indices.dropFirst() where place(self[index]) < place(self[index - 1]) { return false }
        return true
    }
}
