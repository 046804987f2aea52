import StatexProtocol
import StatexWorkerCore

/// A job in the queue for a slot. Its payload stands in the message that it came with.
struct QueuedLease: Sendable {
    /// The expected run time of a job that goes to a slot alone: no other fits beside it.
    static let unknownRun = UInt32.max

    let handle: LeaseHandle
    let id: JobID
    var payloadStart: Int
    let payloadLength: UInt32
    let runLimitMilliseconds: UInt32
    /// How long jobs of its kind run, in nanoseconds.
    let expectedRun: UInt32
    let attempt: UInt16
    let kind: UInt16
    let encoding: UInt8
    /// It stands behind the inputs.
    let hasCheckpoint: Bool
    /// Results of other jobs that stand behind the payload, and their bytes.
    let inputs: UInt8
    let inputsLength: UInt32
    /// nil: the job belongs to no trace.
    let trace: AttemptTrace?

    /// - Parameter expectedRun: in nanoseconds; nil: it was not measured yet.
    init(_ record: LeaseRecord, _ handle: LeaseHandle, expectedRun: Int64?, trace: AttemptTrace? = nil) {
        self.handle = handle
        self.trace = trace
        self.expectedRun = expectedRun.map { UInt32(clamping: $0) } ?? Self.unknownRun
        id = record.id
        payloadStart = record.payloadStart
        payloadLength = record.payloadLength
        runLimitMilliseconds = record.runLimitMilliseconds
        attempt = record.attempt
        kind = record.kind
        encoding = record.encoding
        hasCheckpoint = record.hasCheckpoint
        inputs = record.inputs
        inputsLength = record.inputsLength
    }
}

/// Some of a message's jobs, in order, and the message that holds their payloads.
struct Handful: Sendable {
    /// What a slot takes at once lasts about so long, in nanoseconds: many times what taking it costs, and
    /// too short for another slot to have been woken and have helped.
    static let nanoseconds: UInt64 = 100_000

    var leases: ArraySlice<QueuedLease> = []
    /// One copy for all of its jobs.
    var message: [UInt8] = []
    /// They run together, in one call.
    var isBatch = false

    var isEmpty: Bool { leases.isEmpty }

    /// Takes the first of `leases`, and those behind it that fit.
    static func taken(from leases: inout ArraySlice<QueuedLease>) -> ArraySlice<QueuedLease> {
        var end = leases.startIndex
        var sum: UInt64 = 0
        while end < leases.endIndex {
            sum += UInt64(leases[end].expectedRun)
            guard end == leases.startIndex || sum <= nanoseconds else { break }
            end += 1
        }
        defer { leases = leases[end...] }
        return leases[..<end]
    }

    /// How many slots these jobs are worth: so many handfuls they make.
    var handfuls: Int {
        if isBatch { return 1 }
        let sum = leases.reduce(0) { $0 + min(UInt64($1.expectedRun), Self.nanoseconds) }
        return Int((sum + Self.nanoseconds - 1) / Self.nanoseconds)
    }

    mutating func remove(_ unwanted: Set<LeaseHandle>, into removed: inout [LeaseHandle]) {
        leases.removeAll { lease in
            guard unwanted.contains(lease.handle) else { return false }
            removed.append(lease.handle)
            return true
        }
        if isEmpty { self = Handful(isBatch: isBatch) }
    }
}

/// Jobs in the order of their arrival, message by message.
struct LeaseQueue {
    private var batches: [Handful] = []
    private var head = 0

    var isEmpty: Bool { head == batches.count }
    /// The first jobs run together.
    var isBatchNext: Bool { head < batches.count && batches[head].isBatch }

    mutating func append(_ batch: Handful) {
        if !batch.isEmpty { batches.append(batch) }
    }

    /// Puts jobs back that a slot had taken.
    mutating func prepend(_ batch: Handful) {
        if !batch.isEmpty { batches.insert(batch, at: head) }
    }

    /// The first jobs, as many as a slot takes at once; nil if there are none.
    mutating func take() -> Handful? {
        guard head < batches.count else { return nil }
        if batches[head].isBatch {
            let batch = batches[head]
            batches[head] = Handful()
            head += 1
            compact()
            return batch
        }
        let leases = Handful.taken(from: &batches[head].leases)
        let taken = Handful(leases: leases, message: batches[head].message)
        if batches[head].isEmpty {
            batches[head] = Handful()
            head += 1
            compact()
        }
        return taken
    }

    /// Takes out those that are `unwanted`, and adds them to `removed`.
    mutating func remove(_ unwanted: Set<LeaseHandle>, into removed: inout [LeaseHandle]) {
        batches.removeFirst(head)
        head = 0
        for index in batches.indices { batches[index].remove(unwanted, into: &removed) }
        batches.removeAll { $0.isEmpty }
    }

    /// Moves the rest to the front when most of the array is used up: once in many calls.
    private mutating func compact() {
        if head == batches.count {
            batches.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64, head * 2 >= batches.count {
            batches.removeFirst(head)
            head = 0
        }
    }
}
