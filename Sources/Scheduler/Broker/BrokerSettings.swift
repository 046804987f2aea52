import StatexMetrics
import StatexSchedulerCore
import StatexThreads

package struct BrokerSettings: Sendable {
    package var submitEndpoint: String
    package var workerEndpoint: String
    package var eventsEndpoint: String
    /// For the endpoints that take keys; nil: there are none.
    package var keyring: Keyring?
    /// Payload bytes of committed jobs that are kept in memory.
    package var payloadCacheBytes = 64 << 20
    /// Beyond so much memory of the process somebody makes it hold what no limit explains.
    package var memoryLimit = 2_304 << 20
    /// Is told what an operator should know; called on the broker's thread.
    package var say: @Sendable (String) -> Void = { _ in }
    /// Sessions of both roles together; a HELLO beyond is refused.
    package var maxPeers = 10_000
    /// Jobs that gather for one commit before submits are left in their sockets: larger groups only
    /// add latency and cache misses.
    package var gatherJobs = 2_000
    /// What status says of the surroundings, as JSON members: `"durability": {…}, …`.
    package var statusMembers = ""
    /// Where figures are published each second; nil: nobody looks at any.
    package var figures: Published<SchedulerSnapshot>?

    package init(submitEndpoint: String, workerEndpoint: String, eventsEndpoint: String) {
        self.submitEndpoint = submitEndpoint
        self.workerEndpoint = workerEndpoint
        self.eventsEndpoint = eventsEndpoint
    }
}

/// What happened on the wire since the start, for status.
struct BrokerCounts {
    var malformed: UInt64 = 0
    var unroutable: UInt64 = 0
    var parked: UInt64 = 0
    var oldSession: UInt64 = 0
    var commits: UInt64 = 0
    var committedJobs: UInt64 = 0
    var payloadReads: UInt64 = 0
    /// What the journal refused to read.
    var readsRefused: UInt64 = 0
    var progressDropped: UInt64 = 0
    /// How often the path of an endpoint led elsewhere and was taken back.
    var endpointsReclaimed: UInt64 = 0
    /// How often that could not be done.
    var endpointsUnreachable: UInt64 = 0

    /// How often the doors were closed and opened because of the memory.
    var doorsReopened: UInt64 = 0
    /// Sessions that ended because their key was revoked.
    var keysRevoked: UInt64 = 0
    /// Connections that were cut because their key was not allowed (any more).
    var connectionsCut: UInt64 = 0

    mutating func reclaimed(_ isTakenBack: Bool) { endpointsReclaimed += isTakenBack ? 1 : 0 }
}
