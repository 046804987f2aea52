/// Lanes by the passes of their tenants, lowest first; the lane's number breaks ties, so that the order
/// does not depend on the heap's history.
struct LaneHeap: Sendable {
    struct Entry: Sendable {
        var pass: Int64
        var lane: Int32
    }

    private var entries: [Entry] = []

    var first: Entry? { entries.first }

    mutating func push(pass: Int64, lane: Int32) {
        entries.append(Entry(pass: pass, lane: lane))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard isBefore(child, parent) else { break }
            entries.swapAt(child, parent)
            child = parent
        }
    }

    mutating func removeFirst() {
        let last = entries.removeLast()
        guard !entries.isEmpty else { return }
        entries[0] = last
        sink()
    }

    mutating func replaceFirst(pass: Int64) {
        entries[0].pass = pass
        sink()
    }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        (entries[left].pass, entries[left].lane) < (entries[right].pass, entries[right].lane)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            let left = 2 * parent + 1
            guard left < entries.count else { return }
            let right = left + 1
            let child = right < entries.count && isBefore(right, left) ? right : left
            guard isBefore(child, parent) else { return }
            entries.swapAt(child, parent)
            parent = child
        }
    }
}
