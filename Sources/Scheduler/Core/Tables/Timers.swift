/// Jobs that wait for a time, soonest first: a binary heap. An entry whose job moved on meanwhile is
/// recognised when it comes up, so nothing is ever searched for.
package struct Timers: ~Copyable {
    package enum Purpose: UInt8, Sendable {
        /// A delayed job becomes ready.
        case ready
        /// A job that is not final expires.
        case deadline
        /// A tenant, whose number stands in place of a slot, may start jobs again.
        case tenantRate
        /// The same for a kind: its rate, its circuit, its retries, or a worker's quarantine for it.
        case kind
        /// A worker takes others beside the job that it had alone.
        case worker

        fileprivate var isOfJob: Bool { self == .ready || self == .deadline }
    }

    package struct Entry: Sendable {
        package var due: Int64
        package var id: UInt64
        package var slot: Int32
        package var purpose: Purpose
    }

    private var heap: [Entry] = []

    package init() {}

    /// When the delayed ones of these jobs become ready. It searches: for people who ask, not for a hot path, and
    /// once for all that they ask about.
    package func readyTimes(of ids: [UInt64]) -> [UInt64: Int64] {
        guard let first = ids.min(), let last = ids.max() else { return [:] }
        let wanted = Set(ids)
        var times: [UInt64: Int64] = [:]
        for entry in heap where entry.id >= first && entry.id <= last && entry.purpose == .ready {
            if wanted.contains(entry.id) { times[entry.id] = entry.due }
        }
        return times
    }

    package var count: Int { heap.count }
    package var nextDue: Int64? { heap.first?.due }

    // The id breaks ties, so that the order does not depend on the heap's history.
    private func isSooner(_ left: Entry, _ right: Entry) -> Bool { (left.due, left.id) < (right.due, right.id) }

    package mutating func add(_ entry: Entry) {
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isSooner(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Drops the entries of jobs that are gone; a deadline may be a century ahead.
    package mutating func compact(against jobs: inout JobTable) {
        let kept = heap.filter { !$0.purpose.isOfJob || jobs.slot(of: $0.id) == $0.slot }
        heap.removeAll(keepingCapacity: true)
        for entry in kept { add(entry) }
    }

    /// The soonest entry that is due, or nil.
    package mutating func popDue(at now: Int64) -> Entry? {
        guard let first = heap.first, first.due <= now else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < heap.count else { break }
            let right = left + 1
            let child = right < heap.count && isSooner(heap[right], heap[left]) ? right : left
            guard isSooner(heap[child], heap[parent]) else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first
    }
}
