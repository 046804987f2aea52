/// Why a job waits: one reason from a closed list. The numbers are part of the protocol.
public enum WaitingReason: UInt8, Sendable, CaseIterable {
    /// It does not wait: it runs, or it is final, or nobody knows it.
    case none = 0
    /// Its time has not come: it was asked for later, or its last attempt failed a moment ago.
    case notDue = 1
    /// It needs other jobs of its request first.
    case afterJobs = 2
    /// Somebody paused its kind.
    case kindPaused = 3
    /// Somebody paused its tenant.
    case tenantPaused = 4
    /// No connected worker has a handler for its kind.
    case noWorkerForKind = 5
    /// Workers have its kind, but none has all of its labels.
    case noWorkerWithLabels = 6
    /// As many of its kind run as may.
    case kindLimit = 7
    /// Its kind's starts a second are used up.
    case kindRate = 8
    /// As many of its tenant's run as may.
    case tenantLimit = 9
    /// Its tenant's starts a second are used up.
    case tenantRate = 10
    /// Every slot that could take it is busy.
    case slotsBusy = 11
    /// A slot is free for it: it goes out with the next commit.
    case next = 12
    /// Its lease is being made durable.
    case committing = 13
    /// It waits in a worker behind what runs there.
    case inWorker = 14
    /// The journal does not answer: nothing new can start.
    case journalBehind = 15
    /// Every attempt of its kind failed lately: the kind is paused, but for one job that tries it.
    case circuitOpen = 16
    /// A retry of a kind that may have no more of them now.
    case retryBudget = 17
    /// The workers with a free slot for it fail all of its kind.
    case quarantined = 18
    /// Somebody paused everything.
    case everythingPaused = 19
    /// Workers have its kind and its labels, but none as much of a resource as its kind needs.
    case noWorkerWithResources = 20
    /// Slots are free, but what its kind needs is in use.
    case resourcesBusy = 21
    /// Its worker waits for others to run it with.
    case batchForming = 22
    /// It waits in a worker that has its key warm, though another has a free slot.
    case warmWorker = 23
    /// One loss more makes it dead, so it runs alone, and each worker with a free slot has others; or each is for such a
    /// job.
    case apart = 24
}

/// EXPLAIN: why do these wait? Answered with EXPLANATIONS, a record for each.
public enum Explain {
    public static let recordSize = 16

    /// Writes one record.
    public static func write(_ id: JobID, to buffer: inout ByteBuffer) {
        buffer.append(id.rawValue)
        buffer.append(UInt64(0))
    }

    public static func read(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> [JobID] {
        var cursor = try header.recordCursor(atLeast: recordSize)
        var ids: [JobID] = []
        for _ in 0..<header.count {
            let start = try cursor.take(Int(header.recordLength), in: bytes, "job")
            let id = bytes.integer(UInt64.self, at: start)
            guard id > 0, id < 1 << 63 else { throw WireError(.malformed, "\(id) is not an id") }
            ids.append(JobID(rawValue: id))
        }
        return ids
    }
}

/// Why one job waits, as EXPLANATIONS has it.
public struct Explanation: Sendable, Equatable {
    public static let size = 32

    public var id: JobID
    /// nil: no open job of this id is known.
    public var state: JobState?
    public var reason: WaitingReason
    /// Until when, if that is known: microseconds since 1970; 0: not known.
    public var until: Int64
    /// For people: who paused it, how many of how many run, which labels are missing.
    public var detail: String

    public init(_ id: JobID, state: JobState?, reason: WaitingReason, until: Int64 = 0, detail: String = "") {
        self.id = id
        self.state = state
        self.reason = reason
        self.until = until
        self.detail = detail
    }

    public init(reading cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan) throws(WireError) {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "explanation")
        id = JobID(rawValue: bytes.integer(UInt64.self, at: start))
        until = bytes.integer(Int64.self, at: start + 8)
        let stateNumber = bytes.integer(UInt8.self, at: start + 16)
        let reasonNumber = bytes.integer(UInt8.self, at: start + 17)
        let length = Int(bytes.integer(UInt16.self, at: start + 18))
        state = JobState(rawValue: stateNumber)
        guard stateNumber == 0 || state != nil else {
            throw WireError(.malformed, "state \(stateNumber) is unknown")
        }
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw WireError(.malformed, "\(id.rawValue) is not an id") }
        guard length <= Limits.textBytes else {
            throw WireError(.tooLarge, "a detail has \(length) bytes, the limit is \(Limits.textBytes)")
        }
        // A newer scheduler may know more reasons: its detail says it in words.
        reason = WaitingReason(rawValue: reasonNumber) ?? .none
        detail = try cursor.text(length, in: bytes, "detail")
    }

    public func write(to buffer: inout ByteBuffer) {
        let detail = detail.cut(toBytes: Limits.textBytes)
        buffer.append(id.rawValue)
        buffer.append(until)
        buffer.append(state?.rawValue ?? 0)
        buffer.append(reason.rawValue)
        buffer.append(UInt16(detail.utf8.count))
        buffer.append(UInt32(0))
        buffer.append(UInt64(0))
        buffer.append(detail)
    }
}
