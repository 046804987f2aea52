// The only place where the broker's thread and the journal's two threads meet. Broker and Journal
// never import each other: these plain values pass between them, and the command line wires them.

import StatexKeys
import StatexProtocol
import StatexSchedulerCore
import StatexThreads

/// The boxes between the broker and the journal, and the one for what the operator changes.
package struct HandOff: Sendable {
    /// To the thread that commits.
    package let commits: Mailbox<CommitOrder>
    package let commitWakeup: Wakeup
    /// To the thread that reads.
    package let reads: Mailbox<ReadRequest>
    package let readWakeup: Wakeup
    /// To the broker, from both.
    package let events: Mailbox<JournalEvent>
    /// To the broker, from who reads the configuration again.
    package let configurations: Mailbox<ConfigurationNews>
    package let eventWakeup: Wakeup
    /// To the thread that knows whose jobs are, and back.
    package let tenantQuestions: Mailbox<TenantQuestion>
    package let tenantWakeup: Wakeup
    package let tenantAnswers: Mailbox<TenantAnswer>

    package init() throws(WakeupError) {
        commitWakeup = try Wakeup()
        readWakeup = try Wakeup()
        eventWakeup = try Wakeup()
        commits = Mailbox(wakeup: commitWakeup)
        reads = Mailbox(wakeup: readWakeup)
        events = Mailbox(wakeup: eventWakeup)
        configurations = Mailbox(wakeup: eventWakeup)
        tenantWakeup = try Wakeup()
        tenantQuestions = Mailbox(wakeup: tenantWakeup)
        tenantAnswers = Mailbox(wakeup: eventWakeup)
    }
}

/// What became of the operator's wish that the configuration be read again.
package enum ConfigurationNews: Sendable {
    case changed(Policies, by: String, changes: String)
    case unchanged
    /// The one before stays, for this reason.
    case refused(String)
    /// Other keys are allowed from now on; the policies are as before.
    case keys(AllowList, Policies, by: String, changes: String)
}

/// What the committing thread is told.
package enum CommitOrder: Sendable {
    case commit(Lent<CommitBatch>)
    case stop
}

/// A reference that is held by one thread at a time.
///
/// Sending it hands the object over: the sender does not touch what the receiver uses until it comes
/// back. For a `CommitBatch` the core keeps a reference while the commit is under way, and looks at it
/// again only after `committed` came back; the mailbox's lock orders the two.
package struct Lent<Object: AnyObject>: @unchecked Sendable {
    package let object: Object
    package init(_ object: Object) { self.object = object }
}

/// What the journal tells the broker.
package enum JournalEvent: Sendable {
    /// The commit under way is durable.
    case committed(batch: UInt64, nanoseconds: Int64)
    /// Postgres cannot be reached; the journal keeps trying.
    case down(String)
    case up
    /// There was nothing to commit, and the chain still ends with this owner's row.
    case owned
    /// This scheduler is the owner no more: it must stop at once.
    case stepDown(StepDown)
    case read(ReadAnswer)
}

/// Why a scheduler must stop.
package enum StepDown: Sendable, Equatable {
    /// Another owner appended to the chain.
    case fenced(by: String)
    /// The chain lacks what was acknowledged: a failover lost commits, or a restore.
    case wentBackwards(LostCommits)
    /// Something that should not be.
    case broken(String)
}

/// What an owner had acknowledged and its journal no longer holds.
package struct LostCommits: Sendable, Equatable, CustomStringConvertible {
    /// The last commit that was acknowledged, and the last of before that is left (0: none).
    package var acknowledged: UInt64
    package var left: UInt64
    /// Jobs that vanished, rising; in an hour ids have no gaps.
    package var jobs: [Range<UInt64>]

    package init(acknowledged: UInt64, left: UInt64, jobs: [Range<UInt64>]) {
        self.acknowledged = acknowledged
        self.left = left
        self.jobs = jobs
    }

    /// One range is an hour at most: a day of them is as much as a person reads.
    private static let rangesShown = 24

    package var description: String {
        let commits = "commit \(acknowledged) was acknowledged and the chain goes to \(left)"
        guard !jobs.isEmpty else { return commits + "; no job vanished, outcomes of some may have" }
        var shown = jobs.prefix(Self.rangesShown).map { range in
            range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound - 1)"
        }
        if let last = jobs.last, jobs.count > shown.count {
            shown.append("and \(jobs.count - shown.count) ranges more up to \(last.upperBound - 1)")
        }
        return commits + "; acknowledged jobs that vanished: " + shown.joined(separator: ", ")
    }
}

/// What the reading thread is asked.
package enum ReadRequest: Sendable {
    /// Payloads of leased jobs that are no longer cached.
    case payloads([PayloadWanted])
    case outcomes([Outbox.OutcomeLookup])
    case results([Outbox.ResultLookup])
    /// What a producer submitted lately; `tag` comes back with the answer.
    case producer(Producer, tag: UInt64)
    case keys([UserKeys.Key], unique: [UniqueKeys.Key], tag: UInt64)
    case order(OrderLookup)
    case stop

    /// Two that ask for the same between them; none: it asks for one thing.
    package var halves: [ReadRequest] {
        func halves<Each>(_ all: [Each], _ request: ([Each]) -> ReadRequest) -> [ReadRequest] {
            guard all.count > 1 else { return [] }
            return [request(Array(all[..<(all.count / 2)])), request(Array(all[(all.count / 2)...]))]
        }
        return switch self {
        case .payloads(let wanted): halves(wanted, ReadRequest.payloads)
        case .outcomes(let lookups): halves(lookups, ReadRequest.outcomes)
        case .results(let lookups): halves(lookups, ReadRequest.results)
        case .producer, .keys, .order, .stop: []
        }
    }
}

package struct PayloadWanted: Sendable {
    package var lease: Outbox.Lease
    package var id: UInt64
    /// The latest checkpoint is wanted too.
    package var hasCheckpoint: Bool

    package init(lease: Outbox.Lease, id: UInt64, hasCheckpoint: Bool) {
        self.lease = lease
        self.id = id
        self.hasCheckpoint = hasCheckpoint
    }
}

package enum ReadAnswer: Sendable {
    case payloads([FoundPayload])
    case outcomes([(lookup: Outbox.OutcomeLookup, isRecorded: Bool)])
    case results([FoundResult])
    case producer(Producer, runs: [Producers.Run], tag: UInt64)
    case keys([UserKeys.Key: UserKeys.Use], unique: [UniqueKeys.Key: UniqueKeys.Use], tag: UInt64)
    case order(OrderFindings)
    /// Postgres refuses to read this, for what is in it and for this reason.
    case refused(ReadRequest, String)
}

/// What a leased job is handed, as it stands in the journal.
package struct FoundPayload: Sendable {
    package var wanted: PayloadWanted
    package var payload: [UInt8]
    /// The results that it takes as input, by rising index.
    package var inputs: [LeaseInput]
    /// The latest that an attempt handed over.
    package var checkpoint: [UInt8]?
    /// The trace that the job belongs to.
    package var trace: TraceContext?

    package init(
        wanted: PayloadWanted, payload: [UInt8], inputs: [LeaseInput], checkpoint: [UInt8]?, trace: TraceContext?
    ) {
        self.wanted = wanted
        self.payload = payload
        self.inputs = inputs
        self.checkpoint = checkpoint
        self.trace = trace
    }
}

/// How a job stands in the journal.
package struct FoundResult: Sendable {
    package var lookup: Outbox.ResultLookup
    /// Its state is nil if no such job is known; `running` stands for any open state.
    package var record: ResultRecord
    package var kind: String
    package var body: [UInt8]

    package init(lookup: Outbox.ResultLookup, record: ResultRecord, kind: String, body: [UInt8]) {
        self.lookup = lookup
        self.record = record
        self.kind = kind
        self.body = body
    }
}
