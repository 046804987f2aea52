import StatexProtocol

/// What the core wants done. The shell reads it after each batch of events, does it, and empties what
/// it did; what cannot be sent now stays. Reused, so it allocates nothing once it is warm.
package struct Outbox: Sendable {
    package struct Claim: Sendable, Equatable {
        package var incarnation: UInt64
        package var record: TokenRecord
    }

    // Sockets and session, in this order.
    /// Close the socket; the reason is for the log.
    package private(set) var closeReason: StaticString?
    /// Open a new socket. `hello` comes with it.
    package private(set) var opensSocket = false
    /// Say HELLO.
    package var hello = false
    /// Say HEARTBEAT.
    package var heartbeat = false
    /// Tell the credit (an OUTCOMES message tells it too).
    package var credit = false
    /// Everything is done: say GOODBYE and end.
    package var goodbye = false
    /// The worker cannot go on: end with this error.
    package var failure: WireError?

    // Jobs.
    /// Leases held, after a reconnect; sent before outcomes.
    package var claims: [Claim] = []
    /// Leases that were asked back and have started.
    package var kept: [Claim] = []
    /// Attempts that have something to say to who follows them, and those that hand a checkpoint over; sent before
    /// outcomes.
    package var reports: [LeaseHandle] = []
    package var checkpoints: [LeaseHandle] = []
    /// Outcomes to be sent.
    package var offers: [LeaseHandle] = []
    /// Take these back from the slots' queue, if they have not started.
    package var withdrawals: [LeaseHandle] = []
    /// Take these back, or tell their handlers to stop.
    package var stops: [LeaseHandle] = []
    package var stopReasons: [StopReason] = []

    package init() {}

    mutating func open() {
        opensSocket = true
        hello = true
    }

    mutating func close(_ reason: StaticString) {
        closeReason = reason
        opensSocket = false
        hello = false
        forgetSession()
    }

    /// What was meant for the old session is not for the next.
    mutating func forgetSession() {
        heartbeat = false
        credit = false
        claims.removeAll(keepingCapacity: true)
        kept.removeAll(keepingCapacity: true)
        reports.removeAll(keepingCapacity: true)
        checkpoints.removeAll(keepingCapacity: true)
        offers.removeAll(keepingCapacity: true)
    }

    mutating func stop(_ handle: LeaseHandle, _ reason: StopReason) {
        stops.append(handle)
        stopReasons.append(reason)
    }

    package mutating func socketClosed() { closeReason = nil }
    package mutating func socketOpened() { opensSocket = false }

    mutating func jobsStopped() {
        withdrawals.removeAll(keepingCapacity: true)
        stops.removeAll(keepingCapacity: true)
        stopReasons.removeAll(keepingCapacity: true)
    }
}
