import StatexProtocol

/// The jobs of one kind that wait for a slot: by priority, and first in, first out inside.
package struct ReadyQueue: Sendable {
    private var levels = [JobList](repeating: JobList(), count: Limits.priorities)
    package private(set) var count = 0

    package init() {}

    /// A new job stands at the end.
    package mutating func append(_ slot: Int32, in jobs: inout JobTable) {
        levels[Int(jobs[slot].priority)].append(slot, in: &jobs)
        count += 1
    }

    /// A job that had its turn before (retried, returned, lost) keeps its age. Ids rise with age, and
    /// it is older than nearly all that wait, so its place is found from the front.
    package mutating func insertByAge(_ slot: Int32, in jobs: inout JobTable) {
        let level = Int(jobs[slot].priority)
        let head = levels[level].head
        if head < 0 || jobs[head].id > jobs[slot].id {
            levels[level].prepend(slot, in: &jobs)
        } else {
            levels[level].insert(slot, in: &jobs)
        }
        count += 1
    }

    package mutating func popFirst(in jobs: inout JobTable) -> Int32? {
        for level in levels.indices {
            let slot = levels[level].head
            guard slot >= 0 else { continue }
            levels[level].remove(slot, in: &jobs)
            count -= 1
            return slot
        }
        return nil
    }

    package mutating func remove(_ slot: Int32, in jobs: inout JobTable) {
        levels[Int(jobs[slot].priority)].remove(slot, in: &jobs)
        count -= 1
    }
}

extension JobList {
    /// Inserts by id, looking from the front for a bounded number of steps: past them the order
    /// between two old jobs no longer matters to anybody, and a long walk would.
    fileprivate mutating func insert(_ slot: Int32, in jobs: inout JobTable) {
        var place = head
        var steps = 0
        while place >= 0, jobs[place].id < jobs[slot].id, steps < 64 {
            place = jobs[place].next
            steps += 1
        }
        if place < 0 { return append(slot, in: &jobs) }
        insert(slot, before: place, in: &jobs)
    }
}
