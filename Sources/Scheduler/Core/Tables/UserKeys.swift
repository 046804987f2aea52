import StatexProtocol

/// Users' idempotency keys that were used lately; the journal has all of them.
///
/// A submit with a key is looked up in the journal before the core sees it. What this table adds are
/// the keys whose commit that look-up may have missed; so it need only reach back over the time that
/// a look-up takes, and it reaches back over 100,000 keys.
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

    private static let remembered = 100_000
    private var uses: [Key: Use] = [:]
    private var order: [Key] = []
    private var first = 0

    package init() {}

    package func use(of key: Key) -> Use? { uses[key] }

    package mutating func record(_ key: Key, _ use: Use, committed: UInt64) {
        uses[key] = use
        order.append(key)
        while order.count - first > Self.remembered, let oldest = uses[order[first]], oldest.batch <= committed {
            uses[order[first]] = nil
            first += 1
        }
        if first > Self.remembered {
            order.removeFirst(first)
            first = 0
        }
    }
}
