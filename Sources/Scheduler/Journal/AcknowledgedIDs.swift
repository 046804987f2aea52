import StatexProtocol

/// Which job ids this owner's commits gave, so that those that a journal lost can be named.
///
/// Inside an hour ids have no gaps, so the last next id of each hour says all of them.
struct AcknowledgedIDs {
    /// Where this owner began: what was given before it is known by that alone.
    private let start: UInt64
    /// The next id after the latest commit of each hour that gave ids, rising.
    private var ends: [UInt64]

    /// Hours that are remembered: seven weeks, more than a journal is ever set back unnoticed.
    private static let most = 1_200

    init(from nextID: UInt64) {
        start = nextID
        ends = [nextID]
    }

    mutating func committed(nextID: UInt64) {
        guard let last = ends.last, nextID > last else { return }
        if Self.hourStart(last) == Self.hourStart(nextID) {
            ends[ends.count - 1] = nextID
            return
        }
        if ends.count == Self.most { ends.removeFirst() }
        ends.append(nextID)
    }

    /// What was given and is not in a journal whose next id is `nextID`.
    func missing(from nextID: UInt64) -> [Range<UInt64>] {
        var ranges = nextID < start ? [nextID..<start] : []
        for end in ends where end > max(nextID, start) {
            let low = max(Self.hourStart(end), nextID, start)
            if let last = ranges.indices.last, ranges[last].upperBound == low {
                ranges[last] = ranges[last].lowerBound..<end
            } else {
                ranges.append(low..<end)
            }
        }
        return ranges
    }

    private static func hourStart(_ id: UInt64) -> UInt64 { id & ~(1 << JobID.counterBits - 1) }
}
