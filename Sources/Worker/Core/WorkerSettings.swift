import StatexProtocol

/// What a worker keeps to. Every bound has its reason beside it; times are nanoseconds.
package struct WorkerSettings: Sendable {
    /// Concurrent executions, 1 to `Limits.slots`.
    package var slots: Int
    /// Kinds in the HELLO; a lease names one by its place there.
    package var kinds: Int
    /// How long running jobs may go on after the order to drain.
    package var drainLimit: Int64 = 20 * second
    /// How long a handler that was told to stop by a drain may take to do so.
    package var stopGrace: Int64 = 2 * second
    /// How long the last outcomes may take to become durable. With the two above it stays under the
    /// 30 s that Kubernetes and systemd commonly allow.
    package var deliveryLimit: Int64 = 5 * second
    /// Bytes of payloads that wait: what a worker may cost beside its handlers.
    package var waitingBytes = 64 << 20
    /// Bytes of outcomes that are not durable yet. Past it no more work is asked for.
    package var keptBytes = 64 << 20
    /// Jobs beyond the slots: at 300,000 jobs a second it hides 27 ms of commit, and it bounds what
    /// one worker can hold back from the others.
    package var prefetch = 8_192

    /// By kind: how many jobs run in one slot together; empty: one of each.
    package var batchSizes: [Int] = []

    package init(slots: Int, kinds: Int) {
        self.slots = min(max(slots, 1), Limits.slots)
        self.kinds = kinds
    }
}

package let microsecond: Int64 = 1_000
package let millisecond: Int64 = 1_000_000
package let second: Int64 = 1_000_000_000

/// What a worker counts because nobody can see it from outside.
package struct WorkerCounters: Sendable, Equatable {
    /// Messages of an older session, a lower epoch, or a journal incarnation that was left.
    package var staleMessages = 0
    /// Leases that were held already.
    package var repeatedLeases = 0
    /// Leases past every bound, handed back at once.
    package var refusedLeases = 0
    /// Records that named a lease which is not held.
    package var unknownTokens = 0
    /// Outcomes that the scheduler refused as stale.
    package var staleOutcomes = 0
    package var durableOutcomes = 0
}
