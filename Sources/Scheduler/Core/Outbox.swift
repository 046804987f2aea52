import StatexProtocol

/// What the core wants done now: reused columns that the shell drains after each batch of events.
package struct Outbox: Sendable {
    package struct Lease: Sendable {
        package var worker: Int32
        package var slot: Int32
        package var token: UInt64
    }
    package struct Final: Sendable {
        package var client: UInt32
        package var record: ResultRecord
        /// Index into the committed batch's results, or -1: no body.
        package var result: Int32
        package var kind: Int32
    }
    package struct Progress: Sendable {
        package var client: UInt32
        package var record: ProgressRecord
        /// Where text and piece stand in `progressBytes`.
        package var bytes: Range<Int>
    }
    package struct Token: Sendable {
        package var worker: Int32
        package var session: UInt32
        /// The journal incarnation that the token belongs to: after a restore, not always the present one.
        package var tokensOf: UInt64
        package var record: TokenRecord
    }
    package struct Refused: Sendable {
        package var client: UInt32
        package var run: RefusedRun
    }
    /// An outcome of a lease that memory does not know: the journal says whether it was recorded.
    package struct OutcomeLookup: Sendable {
        package var worker: Int32
        package var session: UInt32
        package var id: UInt64
        package var token: UInt64
        /// As its worker reports it: a lease that was given up has an outcome too, and it is another.
        package var ending: Ending = .succeeded

        /// Whether an outcome that is recorded for the token is the one that was reported. (What a worker
        /// stops on purpose is recorded as returned, unless it was to stop.)
        package func isAnswered(by recorded: Ending) -> Bool {
            switch ending {
            case .succeeded, .failed, .lost, .expired: recorded == ending
            case .cancelled, .returned: recorded == .cancelled || recorded == .returned || recorded == .expired
            }
        }
    }
    /// A client asks about a job that is not open: the journal knows how it ended.
    package struct ResultLookup: Sendable {
        package var client: UInt32
        package var record: AwaitRecord
    }

    package var accepted: [CommitBatch.Accepted] = []
    package var refused: [Refused] = []
    package var leases: [Lease] = []
    package var durable: [CommitBatch.Durable] = []
    package var stale: [Token] = []
    package var revoked: [Token] = []
    package var follows: [Token] = []
    package var checkpointed: [Token] = []
    package var progress: [Progress] = []
    package var progressBytes: [UInt8] = []
    package var finals: [Final] = []
    package var cancelled: [CommitBatch.Cancelled] = []
    package var ordered: [CommitBatch.Ordered] = []
    package var offerAgain: [Int32] = []
    /// Workers that are to drain.
    package var drains: [Int32] = []
    package var outcomeLookups: [OutcomeLookup] = []
    package var resultLookups: [ResultLookup] = []
    package var orderLookups: [OrderLookup] = []

    package init() {}

    package mutating func removeAll() {
        accepted.removeAll(keepingCapacity: true)
        refused.removeAll(keepingCapacity: true)
        leases.removeAll(keepingCapacity: true)
        durable.removeAll(keepingCapacity: true)
        stale.removeAll(keepingCapacity: true)
        revoked.removeAll(keepingCapacity: true)
        follows.removeAll(keepingCapacity: true)
        checkpointed.removeAll(keepingCapacity: true)
        progress.removeAll(keepingCapacity: true)
        progressBytes.removeAll(keepingCapacity: progressBytes.capacity <= 1 << 20)
        finals.removeAll(keepingCapacity: true)
        cancelled.removeAll(keepingCapacity: true)
        ordered.removeAll(keepingCapacity: true)
        offerAgain.removeAll(keepingCapacity: true)
        drains.removeAll(keepingCapacity: true)
        outcomeLookups.removeAll(keepingCapacity: true)
        resultLookups.removeAll(keepingCapacity: true)
        orderLookups.removeAll(keepingCapacity: true)
    }
}
