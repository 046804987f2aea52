import StatexProtocol

/// Names one row of the lease table; a row that was used again has another generation.
package struct LeaseHandle: Hashable, Sendable {
    package let row: UInt32
    package let generation: UInt32

    /// Both in one number, for who may not know what it names.
    package var number: UInt64 { UInt64(generation) << 32 | UInt64(row) }

    package init(number: UInt64) {
        row = UInt32(truncatingIfNeeded: number)
        generation = UInt32(truncatingIfNeeded: number >> 32)
    }

    init(row: UInt32, generation: UInt32) {
        self.row = row
        self.generation = generation
    }
}

/// Where a lease stands in its worker.
enum LeaseState: UInt8 {
    /// The row is not in use.
    case free
    /// Queued for a slot. May become running, ended, or free (revoked).
    case waiting
    /// In a slot. May become ended, or free (revoked, when the handler is back).
    case running
    /// Its outcome is kept until it is durable or refused; then free.
    case ended
}

/// Why a lease has to stop before its handler is done. A later, stronger reason replaces a weaker one.
package enum StopReason: UInt8, Sendable, Comparable {
    case none
    /// The worker drains: the job is handed back.
    case drained
    /// The run-time limit is used up.
    case timeout
    /// A user cancelled the job.
    case cancelled
    /// The lease is no longer this worker's: no outcome is wanted.
    case revoked

    package static func < (left: StopReason, right: StopReason) -> Bool { left.rawValue < right.rawValue }
}

struct LeaseRow {
    var id: UInt64 = 0
    var counter: UInt64 = 0
    var incarnation: UInt64 = 0
    var startedAt: Int64 = 0
    /// 0: it never started.
    var ranNanoseconds: Int64 = 0
    var endedAt: Int64 = 0
    /// When the outcome was first sent, for the measure of the loop; 0: not sent, or sent again.
    var sentAt: Int64 = 0
    var generation: UInt32 = 0
    /// Of its payload and its inputs, in bytes.
    var contentLength: UInt32 = 0
    var runLimitMilliseconds: UInt32 = 0
    var retryAfterMilliseconds: UInt32 = 0
    var kind: UInt16 = 0
    var state = LeaseState.free
    var stop = StopReason.none
    var ending = Ending.succeeded
    var encoding: UInt8 = 0
    var retryable = false
    /// The scheduler wants it for an idle worker, if it has not started.
    var isAskedBack = false
    /// Somebody follows the job.
    var isFollowed = false
}

/// Every lease that the worker holds, and every outcome that it keeps.
struct LeaseTable: ~Copyable {
    var rows: [LeaseRow] = []
    /// Results and errors of ended rows, beside the rows so that those stay plain bytes.
    var bodies: [[UInt8]] = []
    /// What attempts said, of the few that say something, by row.
    var reports: [Int: LeaseReports] = [:]
    private var free: [UInt32] = []
    private(set) var index = TokenIndex(capacity: 1_024)

    var used: Int { rows.count - free.count }

    /// - Returns: nil if a lease of this token is held already.
    mutating func insert(_ lease: LeaseRecord, incarnation: UInt64) -> Int? {
        let row: Int
        if let last = free.last {
            row = Int(last)
        } else {
            row = rows.count
        }
        guard index.insert(lease.token, incarnation, row: row) else { return nil }
        if row == rows.count {
            rows.append(LeaseRow())
            bodies.append([])
        } else {
            free.removeLast()
        }
        let generation = rows[row].generation
        var fresh = LeaseRow()
        fresh.id = lease.id.rawValue
        fresh.counter = lease.token
        fresh.incarnation = incarnation
        fresh.generation = generation
        fresh.contentLength = lease.contentLength
        fresh.runLimitMilliseconds = lease.runLimitMilliseconds
        fresh.kind = lease.kind
        fresh.isFollowed = lease.isFollowed
        fresh.state = .waiting
        rows[row] = fresh
        return row
    }

    /// The row of the lease that both its job and its token name.
    func find(_ record: TokenRecord, incarnation: UInt64) -> Int? {
        guard let row = index.find(record.token, incarnation), rows[row].id == record.id.rawValue else { return nil }
        return row
    }

    func find(_ handle: LeaseHandle) -> Int? {
        let row = Int(handle.row)
        guard row < rows.count, rows[row].generation == handle.generation, rows[row].state != .free else { return nil }
        return row
    }

    func handle(_ row: Int) -> LeaseHandle { LeaseHandle(row: UInt32(row), generation: rows[row].generation) }

    /// The token is no longer this worker's; the row lasts until its handler is back.
    mutating func disown(_ row: Int) { index.remove(rows[row].counter, rows[row].incarnation) }

    mutating func remove(_ row: Int) {
        if rows[row].stop != .revoked { disown(row) }
        rows[row].state = .free
        rows[row].generation &+= 1
        if !bodies[row].isEmpty { bodies[row] = [] }
        if !reports.isEmpty { reports[row] = nil }
        free.append(UInt32(row))
    }
}
