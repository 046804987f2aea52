import StatexProtocol

/// What happened to the jobs of one kind since the process started.
package struct JobCounts: Sendable, Equatable {
    package var submitted: UInt64 = 0
    package var leased: UInt64 = 0
    package var retried: UInt64 = 0
    package var ended = FinalCounts()
    package var attempts = EndingCounts()
    /// From when a job first was ready to its first lease.
    package var queueWait = Histogram()
    /// Of attempts that ran to their end, as their workers measured it.
    package var run = Histogram()
    /// From when a job first was ready until its end, by an attempt of its own, was durable.
    package var endToEnd = Histogram()

    package init() {}

    package mutating func add(_ other: JobCounts) {
        submitted += other.submitted
        leased += other.leased
        retried += other.retried
        ended.add(other.ended)
        attempts.add(other.attempts)
        queueWait.add(other.queueWait)
        run.add(other.run)
        endToEnd.add(other.endToEnd)
    }
}

/// Jobs by the state that they ended in.
package struct FinalCounts: Sendable, Equatable {
    package var succeeded: UInt64 = 0
    package var failed: UInt64 = 0
    package var dead: UInt64 = 0
    package var cancelled: UInt64 = 0
    package var expired: UInt64 = 0

    package init() {}

    package mutating func count(_ state: JobState) {
        switch state {
        case .succeeded: succeeded += 1
        case .failed: failed += 1
        case .dead: dead += 1
        case .cancelled: cancelled += 1
        case .expired: expired += 1
        case .blocked, .delayed, .queued, .leased, .running: preconditionFailure("an open state is not final")
        }
    }

    mutating func add(_ other: FinalCounts) {
        succeeded += other.succeeded
        failed += other.failed
        dead += other.dead
        cancelled += other.cancelled
        expired += other.expired
    }

    package var all: [(state: JobState, count: UInt64)] {
        [
            (.succeeded, succeeded), (.failed, failed), (.dead, dead), (.cancelled, cancelled), (.expired, expired),
        ]
    }
}

/// Attempts by how they ended.
package struct EndingCounts: Sendable, Equatable {
    package var succeeded: UInt64 = 0
    package var failed: UInt64 = 0
    package var cancelled: UInt64 = 0
    package var expired: UInt64 = 0
    package var lost: UInt64 = 0
    package var returned: UInt64 = 0

    package init() {}

    package mutating func count(_ ending: Ending) {
        switch ending {
        case .succeeded: succeeded += 1
        case .failed: failed += 1
        case .cancelled: cancelled += 1
        case .expired: expired += 1
        case .lost: lost += 1
        case .returned: returned += 1
        }
    }

    mutating func add(_ other: EndingCounts) {
        succeeded += other.succeeded
        failed += other.failed
        cancelled += other.cancelled
        expired += other.expired
        lost += other.lost
        returned += other.returned
    }

    package var all: [(ending: Ending, count: UInt64)] {
        [
            (.succeeded, succeeded), (.failed, failed), (.cancelled, cancelled), (.expired, expired), (.lost, lost),
            (.returned, returned),
        ]
    }
}

/// What happened to a worker's attempts at one kind since it started.
package struct AttemptCounts: Sendable, Equatable {
    package private(set) var endings = EndingCounts()
    /// Of those that ran to their end.
    package private(set) var run = Histogram()

    package init() {}

    package mutating func ended(_ ending: Ending, after nanoseconds: Int64) {
        endings.count(ending)
        switch ending {
        case .succeeded, .failed: run.add(nanoseconds)
        case .cancelled, .expired, .lost, .returned: break
        }
    }
}
