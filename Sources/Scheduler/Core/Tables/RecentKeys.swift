/// Keys that requests used lately; the journal has all of them.
///
/// A submit with a key is looked up in the journal before the core sees it. What this table adds are
/// the keys whose commit that look-up may have missed; so it need only reach back over the time that
/// a look-up takes, and it reaches back over 100,000 keys.
struct RecentKeys<Key: Hashable & Sendable, Use: Sendable>: Sendable {
    private static var remembered: Int { 100_000 }

    /// With the commit that makes each durable.
    private var uses: [Key: (use: Use, batch: UInt64)] = [:]
    private var order: [(key: Key, batch: UInt64)] = []
    private var first = 0

    init() {}

    func use(of key: Key) -> Use? { uses[key]?.use }

    /// - Parameter committed: commits up to it are durable.
    mutating func record(_ key: Key, _ use: Use, batch: UInt64, committed: UInt64) {
        uses[key] = (use, batch)
        order.append((key, batch))
        while order.count - first > Self.remembered, order[first].batch <= committed {
            // A later use of the same key has a later entry.
            if uses[order[first].key]?.batch == order[first].batch { uses[order[first].key] = nil }
            first += 1
        }
        if first > Self.remembered {
            order.removeFirst(first)
            first = 0
        }
    }
}
