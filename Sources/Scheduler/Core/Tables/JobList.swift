/// A list of jobs that is threaded through the records themselves: no allocation, removal anywhere.
package struct JobList: Sendable {
    package private(set) var head: Int32 = -1
    package private(set) var tail: Int32 = -1
    package private(set) var count = 0

    package init() {}

    package var isEmpty: Bool { head < 0 }

    package mutating func append(_ slot: Int32, in jobs: inout JobTable) {
        jobs[slot].previous = tail
        jobs[slot].next = -1
        if tail >= 0 { jobs[tail].next = slot } else { head = slot }
        tail = slot
        count += 1
    }

    package mutating func prepend(_ slot: Int32, in jobs: inout JobTable) {
        jobs[slot].next = head
        jobs[slot].previous = -1
        if head >= 0 { jobs[head].previous = slot } else { tail = slot }
        head = slot
        count += 1
    }

    mutating func countInserted() { count += 1 }

    package mutating func remove(_ slot: Int32, in jobs: inout JobTable) {
        let record = jobs[slot]
        if record.previous >= 0 { jobs[record.previous].next = record.next } else { head = record.next }
        if record.next >= 0 { jobs[record.next].previous = record.previous } else { tail = record.previous }
        jobs[slot].next = -1
        jobs[slot].previous = -1
        count -= 1
        precondition(count >= 0)
    }
}

extension JobList {
    package mutating func insert(_ slot: Int32, before place: Int32, in jobs: inout JobTable) {
        let previous = jobs[place].previous
        guard previous >= 0 else { return prepend(slot, in: &jobs) }
        jobs[slot].previous = previous
        jobs[slot].next = place
        jobs[previous].next = slot
        jobs[place].previous = slot
        countInserted()
    }
}
