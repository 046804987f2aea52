import StatexProtocol

/// What clients asked and were not answered yet.
package struct Questions: Sendable {
    /// Jobs of one request that follow each other.
    private struct Run {
        /// Of the first one; of a request whose size is not known yet.
        var record: AwaitRecord
        var count: Int
    }

    /// Of all clients together: 64 MiB.
    private static let total = 8 * Limits.awaits
    /// Answered ones that a client's queue may keep, so that it is not moved for each.
    private static let answeredKept = 4_096

    private struct Queue {
        var runs: [Run] = []
        /// The place of the next one; those before it were answered.
        var head = 0

        var count: Int { runs.count - head }
    }

    private var byClient: [UInt32: Queue] = [:]
    /// Clients in turn. One that left, or was answered, stands here until its turn is over.
    private var turns: [UInt32] = []
    /// The place of the client whose turn it is.
    private var turn = 0
    /// Those that were not answered yet, a request for one.
    private var count = 0

    package init() {}

    package var isEmpty: Bool { turns.isEmpty }
    package var askers: Int { turns.count }

    /// - Returns: false if there is no room for these.
    package mutating func add(_ records: [AwaitRecord], of client: UInt32) -> Bool {
        guard !records.isEmpty else { return true }
        guard records.count + (byClient[client]?.count ?? 0) <= Limits.awaits, records.count + count <= Self.total
        else { return false }
        add(records.map { Run(record: $0, count: 1) }, of: client)
        return true
    }

    /// The jobs of a request, by their places in it.
    package mutating func add(jobsFrom first: Int, to end: Int, like record: AwaitRecord, of client: UInt32) {
        guard first < end else { return }
        add([Run(record: Self.job(first, like: record), count: end - first)], of: client)
    }

    private mutating func add(_ runs: [Run], of client: UInt32) {
        if byClient[client] == nil { turns.append(client) }
        byClient[client, default: Queue()].runs += runs
        count += runs.count
    }

    /// The same question about a job that comes so many after this one.
    private static func job(_ place: Int, like record: AwaitRecord) -> AwaitRecord {
        AwaitRecord(
            JobID(rawValue: record.id.rawValue + UInt64(place)), isRequest: false, waits: record.waits,
            follows: record.follows)
    }

    /// The client whose turn it is.
    package var asker: UInt32? { turns.isEmpty ? nil : turns[turn] }

    /// The client had its turn.
    package mutating func passTurn() {
        guard let client = asker else { return }
        if let queue = byClient[client], queue.count > 0 {
            turn += 1
        } else {
            byClient[client] = nil
            turns.remove(at: turn)
        }
        if turn >= turns.count { turn = 0 }
    }

    /// The client's next question, which is then answered.
    package mutating func next(of client: UInt32) -> AwaitRecord? {
        guard let head = byClient[client]?.head, let run = byClient[client]?.runs.dropFirst(head).first else {
            return nil
        }
        if run.count == 1 {
            count -= 1
            byClient[client]?.head += 1
            if head >= max(Self.answeredKept, (byClient[client]?.runs.count ?? 0) / 2) {
                byClient[client]?.runs.removeFirst(head + 1)
                byClient[client]?.head = 0
            }
        } else {
            byClient[client]?.runs[head] = Run(record: Self.job(1, like: run.record), count: run.count - 1)
        }
        return run.record
    }

    package mutating func remove(client: UInt32) {
        guard let queue = byClient[client] else { return }
        count -= queue.count
        byClient[client] = Queue()
    }
}
