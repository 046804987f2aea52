import StatexProtocol

/// Thins out a stream that has more events a second than anybody reads: whole requests stay or go, so that what is
/// left is true of those that it shows.
struct Sampler: Sendable {
    /// So many events a second pass as they are.
    let limit: Int
    private var second: Int64 = 0
    private var seen = 0
    /// Since the share changed, or the second began.
    private var seenAtShare = 0
    /// So many are shown at a share before it changes.
    private var room: Int
    /// One request in so many is shown: 1, 2, 4 …
    private(set) var share = 1

    private static let largestShare = 1 << 20

    init(limit: Int) {
        self.limit = limit
        room = limit
    }

    /// Counts an event.
    /// - Parameter second: of a clock that only goes forward.
    /// - Returns: whether it is shown, and whether the share changed with it.
    mutating func admit(_ request: JobID, at second: Int64) -> (isShown: Bool, hasChanged: Bool) {
        let before = share
        if second != self.second {
            let seenBefore = second == self.second + 1 ? seen : 0
            seen = 0
            seenAtShare = 0
            room = limit
            self.second = second
            share = 1
            while share < Self.largestShare, seenBefore > share * limit { share *= 2 }
        }
        seen += 1
        seenAtShare += 1
        if seenAtShare > share * room, share < Self.largestShare {
            share *= 2
            seenAtShare = 0
            // Nobody knows how many more there will be: in a second all shares together show a few times the limit.
            room = limit / 4
        }
        // Ids of requests lie in rows: multiplied, their upper bits are spread.
        let spread = (request.rawValue &* 0x9E37_79B9_7F4A_7C15) >> 40
        return (spread & UInt64(share - 1) == 0, share != before)
    }
}
