import StatexProtocol

/// Users' idempotency keys that were used lately.
package struct UserKeys: Sendable {
    package struct Key: Hashable, Sendable {
        package var tenant: String
        package var key: [UInt8]
        package init(tenant: String, key: [UInt8]) {
            self.tenant = tenant
            self.key = key
        }
    }
    package struct Use: Sendable, Equatable {
        package var digest: [UInt8]
        package var request: UInt64
        package var jobs: UInt16
        /// The commit that makes it durable; 0: an old one.
        package var batch: UInt64
        package init(digest: [UInt8], request: UInt64, jobs: UInt16, batch: UInt64) {
            self.digest = digest
            self.request = request
            self.jobs = jobs
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
