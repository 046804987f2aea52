import StatexProtocol
import StatexSchedulerCore

/// The payloads of the latest commits, so that most leases need not read them back. Bounded in bytes:
/// the oldest slab goes first.
struct PayloadCache {
    private let limit: Int
    private var slabs: [UInt64: PayloadSlab] = [:]
    private var order: [(batch: UInt64, bytes: Int)] = []
    private var first = 0
    private(set) var bytes = 0
    private var last: (batch: UInt64, slab: PayloadSlab)?

    init(limit: Int) { self.limit = limit }

    mutating func keep(_ slab: PayloadSlab, of batch: UInt64) {
        let size = slab.buffer.capacity
        guard slab.buffer.count > 0 else { return }
        slabs[batch] = slab
        order.append((batch, size))
        bytes += size
        while bytes > limit, order.count - first > 1 {
            slabs[order[first].batch] = nil
            bytes -= order[first].bytes
            first += 1
        }
        if first > 1_024 {
            order.removeFirst(first)
            first = 0
        }
    }

    /// The slab of a commit, or nil if it is no longer kept.
    mutating func slab(of batch: UInt64) -> PayloadSlab? {
        if let last, last.batch == batch { return last.slab }
        guard let slab = slabs[batch] else { return nil }
        last = (batch, slab)
        return slab
    }
}
