import StatexProtocol
import StatexSchedulerCore

/// What leases hand over of one commit's jobs.
final class CachedCommit {
    let slab: PayloadSlab
    /// Of the jobs that belong to one.
    let traces: [UInt64: TraceContext]

    init(_ batch: CommitBatch) {
        slab = batch.payloads
        var traces: [UInt64: TraceContext] = [:]
        for row in batch.options {
            if let trace = row.options.traceparent { traces[row.id] = trace }
        }
        self.traces = traces
    }

    /// A trace takes 40 bytes in its dictionary, which is at least half full.
    var bytes: Int { slab.buffer.capacity + traces.count * 80 }
}

/// The payloads of the latest commits, so that most leases need not read them back. Bounded in bytes:
/// the oldest commit goes first.
struct PayloadCache {
    private let limit: Int
    private var commits: [UInt64: CachedCommit] = [:]
    private var order: [(batch: UInt64, bytes: Int)] = []
    private var first = 0
    private(set) var bytes = 0
    private var last: (batch: UInt64, commit: CachedCommit)?

    init(limit: Int) { self.limit = limit }

    mutating func keep(_ commit: CachedCommit, of batch: UInt64) {
        let size = commit.bytes
        guard commit.slab.buffer.count > 0 else { return }
        commits[batch] = commit
        order.append((batch, size))
        bytes += size
        while bytes > limit, order.count - first > 1 {
            commits[order[first].batch] = nil
            bytes -= order[first].bytes
            first += 1
        }
        if first > 1_024 {
            order.removeFirst(first)
            first = 0
        }
    }

    /// What is kept of a commit, or nil if it no longer is.
    mutating func commit(_ batch: UInt64) -> CachedCommit? {
        if let last, last.batch == batch { return last.commit }
        guard let commit = commits[batch] else { return nil }
        last = (batch, commit)
        return commit
    }
}
