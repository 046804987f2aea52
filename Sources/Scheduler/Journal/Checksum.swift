import StatexProtocol
import StatexSchedulerCore

/// The sum of a commit, in its chain row: `statex verify` computes it again from the rows.
///
/// Each row adds a mixed number, so the order does not matter and a missing, doubled or changed row
/// shows. (Damage inside a row's payload is for Postgres' data checksums to find.)
package struct Checksum: Sendable {
    package private(set) var value: UInt64 = 0

    package init() {}

    package mutating func addJob(id: UInt64, opts: UInt64) { add(1, id, opts) }
    package mutating func addLease(id: UInt64, token: UInt64, worker: UInt32) {
        add(2, id ^ UInt64(worker) << 32, token)
    }
    /// - Parameter ends: the ending, and the final state in the next byte.
    package mutating func addOutcome(id: UInt64, token: UInt64, ends: UInt64) { add(3, id ^ ends << 48, token) }
    package mutating func addResult(id: UInt64, token: UInt64, length: Int) { add(4, id ^ UInt64(length) << 40, token) }
    package mutating func addCheckpoint(id: UInt64, token: UInt64, length: Int) {
        add(5, id ^ UInt64(length) << 40, token)
    }

    @inline(__always)
    private mutating func add(_ kind: UInt64, _ first: UInt64, _ second: UInt64) {
        value &+= Self.mix(Self.mix(first &+ kind &* 0x9E37_79B9_7F4A_7C15) ^ second)
    }

    @inline(__always)
    private static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

extension CommitBatch {
    package var checksum: UInt64 {
        var sum = Checksum()
        for row in jobs { sum.addJob(id: row.id, opts: row.opts) }
        for row in leases { sum.addLease(id: row.id, token: row.token, worker: row.worker) }
        for row in outcomes { sum.addOutcome(id: row.id, token: row.token, ends: row.ends) }
        for row in results { sum.addResult(id: row.job, token: row.token, length: row.length) }
        for row in checkpoints { sum.addCheckpoint(id: row.job, token: row.token, length: row.length) }
        return sum.value
    }
}

extension CommitBatch.OutcomeRow {
    /// The ending in the low byte, the final state (0: none) in the next.
    var ends: UInt64 { UInt64(ending.rawValue) | UInt64(final?.rawValue ?? 0) << 8 }
}
