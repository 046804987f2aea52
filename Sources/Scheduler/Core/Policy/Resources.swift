import StatexProtocol

/// What a machine has a countable amount of (GPUs, GiB of memory), and what leases take of it.
///
/// A job takes what its kind needs from its lease on, so that no worker ever runs more than fits; a batch takes it
/// once. What is counted is what the scheduler gave out: nothing is measured.
package struct Resources: Sendable {
    package struct Item: Sendable {
        package var name: String
        package var total: Int64
        /// May be above the total after an operator raised a need.
        package var used: Int64 = 0
    }

    package private(set) var items: [Item] = []

    package init(_ offered: [ResourceAmount] = []) {
        items = offered.map { Item(name: $0.name, total: Int64($0.amount)) }
    }

    /// Whether they were enough for a job if nothing else ran.
    package func suffice(for needs: [ResourceAmount]) -> Bool {
        needs.allSatisfy { need in items.contains { $0.name == need.name && $0.total >= Int64(need.amount) } }
    }

    package func haveRoom(for needs: [ResourceAmount]) -> Bool {
        needs.allSatisfy { need in
            items.contains { $0.name == need.name && $0.total - $0.used >= Int64(need.amount) }
        }
    }

    package mutating func take(_ needs: [ResourceAmount]) { add(needs, 1) }
    package mutating func giveBack(_ needs: [ResourceAmount]) { add(needs, -1) }

    private mutating func add(_ needs: [ResourceAmount], _ sign: Int64) {
        for need in needs {
            guard let item = items.firstIndex(where: { $0.name == need.name }) else { continue }
            items[item].used += sign * Int64(need.amount)
        }
    }
}

extension SchedulerCore {
    /// What a job of the kind takes while it is leased.
    func needs(_ kind: Int32) -> [ResourceAmount] { kinds[Int(kind)].policy.needs }

    /// Counts anew what a worker's leases take: it said what it has, or needs have changed.
    mutating func recountResources(of worker: Int32) {
        workers[worker].resources = countedResources(of: worker)
    }

    func countedResources(of worker: Int32) -> Resources {
        var resources = Resources(workers[worker].offered)
        guard !resources.items.isEmpty else { return resources }
        var slot = workers[worker].leases.head
        while slot >= 0 {
            if !jobs[slot].flags.contains(.joinsBatch) { resources.take(needs(jobs[slot].kind)) }
            slot = jobs[slot].next
        }
        return resources
    }
}
