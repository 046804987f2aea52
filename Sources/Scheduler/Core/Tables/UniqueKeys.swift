import StatexProtocol

/// The requests that were accepted lately under unique keys: who holds a key.
package struct UniqueKeys: Sendable {
    /// A unique key counts inside a tenant, for a kind: that of the request's first job.
    package struct Key: Hashable, Sendable {
        package var tenant: String
        package var kind: String
        package var rule: [UInt8]

        package init(tenant: String, kind: String, rule: UniqueRule) {
            self.tenant = tenant
            self.kind = kind
            self.rule = rule.stored
        }
    }

    /// The latest request that was accepted under a key.
    package struct Use: Sendable, Equatable {
        package var request: UInt64
        package var jobs: UInt16
        /// When it was accepted; microseconds since 1970.
        package var at: Int64
        /// The commit that makes it durable; 0: an old one.
        package var batch: UInt64

        package init(request: UInt64, jobs: UInt16, at: Int64, batch: UInt64) {
            self.request = request
            self.jobs = jobs
            self.at = at
            self.batch = batch
        }
    }

    private var recent = RecentKeys<Key, Use>()

    package init() {}

    package func use(of key: Key) -> Use? { recent.use(of: key) }

    package mutating func record(_ key: Key, _ use: Use, committed: UInt64) {
        recent.record(key, use, batch: use.batch, committed: committed)
    }
}
