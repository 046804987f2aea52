import StatexProtocol

/// What an operator may set of the core; the defaults are the product's. The shells check them first.
package struct CoreSettings: Sendable {
    package var shard: UInt8 = 0
    /// A lease lasts this long past the worker's last sign of life.
    package var leaseNanoseconds: Int64 = 10_000_000_000
    package var heartbeatNanoseconds: Int64 = 1_000_000_000
    /// After a closed connection, the same incarnation has this long to return.
    package var graceNanoseconds: Int64 = 2_000_000_000
    /// The policies of the start; `follow` changes them.
    package var policies = Policies()
    /// Payload bytes that one commit gathers before submits are refused as busy.
    package var maxBatchPayloadBytes = 64 << 20
    /// Result bytes that wait for the journal before workers are asked to offer them again.
    package var maxBatchResultBytes = 64 << 20
    /// Ids that one client may wait for.
    package var maxWaits = 100_000
    /// How many kinds, tenants and queues (one for each kind, and for each set of labels that jobs of it require) are
    /// known at most: they are kept for ever, and dispatch looks at each queue that is not empty.
    package var maxKinds = 4_096
    package var maxTenants = 1_000_000
    package var maxQueues = 8_192
    /// How many of those kinds, and of queues for labels, one tenant may bring: kinds that a worker serves or the
    /// configuration names are not among them.
    package var maxKindsOfTenant = 256
    package var maxQueuesOfTenant = 256
    package var ageing = Ageing()
    package var stealing = true
    /// A job waits so long at most, as expected, for a worker that has its model warm: about what loading a small
    /// one takes. 0: not at all.
    package var affinityWaitNanoseconds: Int64 = 250_000_000
    /// Jobs that wait for less than this are not worth moving: a steal takes two hops and a commit.
    package var stealWorthNanoseconds: Int64 = 4_000_000

    package init() {}
}

/// The time, as the shell read it: the core reads no clock.
package struct Now: Sendable {
    /// Nanoseconds of a clock that never steps: leases, backoff, every duration.
    package var monotonic: Int64
    /// Microseconds since 1970: ids, `run_at`, `deadline`, what is shown.
    package var wall: Int64

    package init(monotonic: Int64, wall: Int64) {
        self.monotonic = monotonic
        self.wall = wall
    }
}

/// A generator of its own, seeded: the core draws no other chance (SplitMix64).
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
