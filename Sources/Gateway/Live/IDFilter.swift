import StatexProtocol

/// Says of most ids, without a hash, that they are not in a table: most of what a busy scheduler tells concerns nobody
/// here. Ids are counted up, so those of a table lie apart by their last digits.
struct IDFilter: Sendable {
    /// One bit for each: 8 KiB. With 10,000 ids in a table one id of seven is looked up in vain.
    private static let places = 1 << 16

    private var bits = [UInt64](repeating: 0, count: places / 64)

    @inline(__always)
    func mayHave(_ id: JobID) -> Bool {
        let place = Int(id.rawValue % UInt64(Self.places))
        return bits[place / 64] >> UInt64(place % 64) & 1 == 1
    }

    mutating func add(_ id: JobID) {
        let place = Int(id.rawValue % UInt64(Self.places))
        bits[place / 64] |= 1 << UInt64(place % 64)
    }

    /// Ids that left their table leave their bits: now and then it is made anew.
    mutating func replace(with ids: some Sequence<JobID>) {
        for index in bits.indices { bits[index] = 0 }
        for id in ids { add(id) }
    }
}
