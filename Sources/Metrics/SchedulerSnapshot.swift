/// What a scheduler knows of itself at one moment: taken by the broker's thread, rendered by another.
package struct SchedulerSnapshot: Sendable {
    /// Kinds and tenants are whatever clients call them: beyond so many they are one, called `other`, so that no
    /// stranger fills a Prometheus. Kinds keep their place (the first ones, so that counters never fall); of tenants
    /// those are shown that have most open.
    package static let kindsShown = 64
    package static let tenantsShown = 10
    package static let other = "other"

    package struct Kind: Sendable {
        package var name: String
        package var counts: JobCounts
        package var open: OpenJobs
        /// What waits for a slot, times how long one is expected to run.
        package var backlogSeconds: Double
        /// How long the job has waited that waits for a slot the longest; 0: none does.
        package var oldestSeconds: Double
        package var heldRetries: Int
        package var isPaused: Bool
        package var isCircuitOpen: Bool

        package init(
            name: String, counts: JobCounts, open: OpenJobs, backlogSeconds: Double, oldestSeconds: Double,
            heldRetries: Int, isPaused: Bool, isCircuitOpen: Bool
        ) {
            self.name = name
            self.counts = counts
            self.open = open
            self.backlogSeconds = backlogSeconds
            self.oldestSeconds = oldestSeconds
            self.heldRetries = heldRetries
            self.isPaused = isPaused
            self.isCircuitOpen = isCircuitOpen
        }

        mutating func add(_ other: Kind) {
            counts.add(other.counts)
            open.add(other.open)
            backlogSeconds += other.backlogSeconds
            oldestSeconds = max(oldestSeconds, other.oldestSeconds)
            heldRetries += other.heldRetries
            isPaused = isPaused || other.isPaused
            isCircuitOpen = isCircuitOpen || other.isCircuitOpen
        }
    }

    /// Open jobs by state. The scheduler knows what a worker holds, not which of it runs: both are `leased`.
    package struct OpenJobs: Sendable, Equatable {
        package var blocked = 0
        package var delayed = 0
        package var queued = 0
        package var leased = 0

        package init(blocked: Int = 0, delayed: Int = 0, queued: Int = 0, leased: Int = 0) {
            self.blocked = blocked
            self.delayed = delayed
            self.queued = queued
            self.leased = leased
        }

        mutating func add(_ other: OpenJobs) {
            blocked += other.blocked
            delayed += other.delayed
            queued += other.queued
            leased += other.leased
        }
    }

    package struct Tenant: Sendable {
        package var name: String
        package var openJobs: Int
        package var openBytes: Int
        package var leased: Int

        package init(name: String, openJobs: Int, openBytes: Int, leased: Int) {
            self.name = name
            self.openJobs = openJobs
            self.openBytes = openBytes
            self.leased = leased
        }
    }

    package struct Workers: Sendable {
        package var serving = 0
        package var draining = 0
        /// Gone, with leases that have not ended yet.
        package var away = 0
        package var slots = 0
        package var credit = 0
        package var leases = 0
        package init() {}
    }

    package struct Journal: Sendable {
        package var downReason: String?
        package var commits: UInt64 = 0
        package var commitTime = Histogram()
        /// Since the commit under way was handed over; 0: none is.
        package var underwaySeconds: Double = 0
        package var waitingJobs = 0
        package init() {}
    }

    /// Requests that were not admitted, by what was in the way.
    package struct Refusals: Sendable, Equatable {
        /// The journal is down, or too much waits for it.
        package var journal: UInt64 = 0
        package var openJobs: UInt64 = 0
        package var openBytes: UInt64 = 0
        package var tenantOpenJobs: UInt64 = 0
        package var tenantOpenBytes: UInt64 = 0
        package init() {}
    }

    /// What is counted over all kinds.
    package struct Counts: Sendable {
        package var repeated: UInt64 = 0
        package var duplicates: UInt64 = 0
        package var stealsAsked: UInt64 = 0
        package var stolen: UInt64 = 0
        package var stale: UInt64 = 0
        package var putOff: UInt64 = 0
        package var malformed: UInt64 = 0
        package var unroutable: UInt64 = 0
        package var parked: UInt64 = 0
        package var oldSession: UInt64 = 0
        package var payloadReads: UInt64 = 0
        package var progressDropped: UInt64 = 0
        package init() {}
    }

    /// On the monotonic clock.
    package var takenAt: Int64
    package var epoch: UInt32
    package private(set) var kinds: [Kind] = []
    package private(set) var tenants: [Tenant] = []
    package var openJobs = 0
    package var openBytes = 0
    package var mostOpenJobs: Int?
    package var mostOpenBytes: Int?
    package var clients = 0
    package var workers = Workers()
    package var journal = Journal()
    package var refusals = Refusals()
    /// When the first of the allowed keys ends, in seconds since 1970.
    package var firstKeyEnd: Int64?
    package var counts = Counts()
    private var otherKinds: Int?

    package init(takenAt: Int64, epoch: UInt32) {
        self.takenAt = takenAt
        self.epoch = epoch
    }

    /// Called for all kinds, in an order that never changes.
    package mutating func add(_ kind: Kind) {
        if kinds.count < Self.kindsShown, kind.name != Self.other { return kinds.append(kind) }
        if let index = otherKinds { return kinds[index].add(kind) }
        var kind = kind
        kind.name = Self.other
        otherKinds = kinds.count
        kinds.append(kind)
    }

    /// Takes those that have most open, and the rest together.
    package mutating func setTenants(_ all: [Tenant]) {
        let named = all.filter { $0.name != Self.other }.sorted { ($1.openJobs, $0.name) < ($0.openJobs, $1.name) }
        tenants = Array(named.prefix(Self.tenantsShown))
        let rest = named.dropFirst(Self.tenantsShown) + all.filter { $0.name == Self.other }
        guard !rest.isEmpty else { return }
        tenants.append(
            rest.reduce(into: Tenant(name: Self.other, openJobs: 0, openBytes: 0, leased: 0)) {
                $0.openJobs += $1.openJobs
                $0.openBytes += $1.openBytes
                $0.leased += $1.leased
            })
    }
}
