import StatexProtocol
import StatexSchedulerCore

/// Workers that have some GPUs, and kinds that need one or two; some seeds have them.
struct ResourceTopic: Topic {
    func checkers(of world: World) -> [any Checker] { [ResourceChecker(world)] }
}

extension SimulationOptions {
    static let resource = "gpu"

    /// The first worker has enough for any job, so that everything drains.
    mutating func drawResources(from random: inout SeededGenerator) {
        guard random.happens(oneIn: 4) else { return }
        for name in Self.kinds where random.happens(oneIn: 2) {
            var kind = coreSettings.policies.kinds[name] ?? coreSettings.policies.otherKinds
            kind.needs = [ResourceAmount(Self.resource, UInt32(1 + random.below(2)))]
            coreSettings.policies.kinds[name] = kind
        }
        amounts = (0..<workers).map { place in place == 0 ? UInt32(2 + random.below(2)) : UInt32(random.below(4)) }
    }

    func resources(ofWorker place: Int) -> [ResourceAmount] {
        place < amounts.count && amounts[place] > 0 ? [ResourceAmount(Self.resource, amounts[place])] : []
    }
}

/// No worker holds more than its amounts are enough for, by what is durable.
private final class ResourceChecker: Checker {
    private unowned let world: World

    init(_ world: World) { self.world = world }

    func committed(_ commit: SimulatedJournal.Commit) {
        guard !commit.leases.isEmpty, !world.options.amounts.isEmpty else { return }
        var names: [UInt32: String] = [:]
        for row in world.journal.names { names[row.number] = row.name }
        var used: [String: UInt32] = [:]
        for id in world.journal.ids {
            guard let history = world.journal.histories[id], let lease = history.openLease,
                let worker = names[lease.worker], let kind = names[history.row.kind]
            else { continue }
            for need in world.options.coreSettings.policies.kind(kind).needs {
                used[worker, default: 0] += need.amount
            }
        }
        for (worker, amount) in used {
            // "w2/5f…": the place stands in the name.
            guard let place = Int(worker.dropFirst().prefix { $0 != "/" }) else { continue }
            let total = world.options.resources(ofWorker: place).first?.amount ?? 0
            if amount == total { world.mark("a resource in full use") }
            if amount > total {
                world.violation("\(worker) has \(total) \(SimulationOptions.resource), leases need \(amount)")
            }
        }
    }
}
