import StatexHandlerAPI
import StatexProtocol
import StatexWorkerCore

/// Where jobs of kinds with a `BatchHandler` wait for others of the same key, before they are queued for a slot. The
/// owner of the core has it for itself.
struct BatchFormer {
    private struct Rule {
        let size: Int
        let wait: Int64
    }

    private struct Key: Hashable {
        let kind: UInt16
        let affinity: [UInt8]
    }

    private struct Forming {
        let key: Key
        var batch = Handful(isBatch: true)
        /// Then it is queued, however few they are.
        let due: Int64
    }

    /// By kind; nil: its jobs run alone.
    private let rules: [Rule?]
    /// In the order of their first jobs. Few: one a key.
    private var forming: [Forming] = []

    init(_ handlers: [any Handler]) {
        rules = handlers.map { handler in
            guard let handler = handler as? any BatchHandler, handler.batchSize > 1 else { return nil }
            return Rule(size: handler.batchSize, wait: Int64(handler.batchWaitMilliseconds) * millisecond)
        }
    }

    var nextDue: Int64 { forming.reduce(.max) { min($0, $1.due) } }

    func forms(_ kind: UInt16) -> Bool { rules[Int(kind)] != nil }

    /// Takes a job in. One that was begun before is a batch by itself: it may be what ended the call that it was in,
    /// and the others of that call are not to go with it again.
    /// - Parameter content: what stands in its message from its payload on.
    /// - Returns: a batch that is full with it.
    mutating func add(_ lease: QueuedLease, _ content: [UInt8], _ affinity: [UInt8], at now: Int64) -> Handful? {
        guard let rule = rules[Int(lease.kind)] else { return nil }
        if lease.attempt > 1 {
            var alone = lease
            alone.payloadStart = 0
            return Handful(leases: [alone], message: content, isBatch: true)
        }
        let key = Key(kind: lease.kind, affinity: affinity)
        let place = forming.firstIndex { $0.key == key } ?? forming.count
        if place == forming.count { forming.append(Forming(key: key, due: now + rule.wait)) }
        var moved = lease
        moved.payloadStart = forming[place].batch.message.count
        forming[place].batch.message += content
        forming[place].batch.leases.append(moved)
        guard forming[place].batch.leases.count >= rule.size else { return nil }
        return forming.remove(at: place).batch
    }

    /// The batches that have waited for long enough.
    mutating func takeDue(at now: Int64) -> [Handful] {
        guard !forming.isEmpty else { return [] }
        let due = forming.filter { $0.due <= now }.map(\.batch)
        forming.removeAll { $0.due <= now }
        return due
    }

    /// Takes out those that are `unwanted`, and adds them to `removed`.
    mutating func remove(_ unwanted: Set<LeaseHandle>, into removed: inout [LeaseHandle]) {
        for place in forming.indices { forming[place].batch.remove(unwanted, into: &removed) }
        forming.removeAll { $0.batch.isEmpty }
    }
}

extension LeaseRecord {
    /// Payload, inputs and checkpoint, in the message that was read.
    var contentRange: Range<Int> {
        payloadStart..<(hasCheckpoint ? checkpointStart + Int(checkpointLength) : payloadStart + Int(contentLength))
    }

    /// Empty: it names no key.
    var affinityRange: Range<Int> { affinityStart..<affinityStart + Int(affinityLength) }
}
