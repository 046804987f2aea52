/// Makes a failing run shorter: leaves out faults and requests one after another, and keeps what still fails.
///
/// A run without one of its faults takes another course from there on, so what is left fails by itself; it need
/// not fail in the same words.
package struct Shrinker {
    /// How many runs may be spent.
    package var budget = 600
    private(set) package var runs = 0

    package init() {}

    /// What is left of a run: how many faults and requests, and its report.
    package struct Short: Sendable {
        package let run: SimulationRun
        package let faults: Int
        package let requests: Int
        package let report: SimulationReport
    }

    /// - Returns: the shortest failing run that was found; nil if the run does not fail.
    package mutating func shrink(_ run: SimulationRun) -> Short? {
        guard let made = strikesUntilFailure(of: run) else { return nil }
        var strikes = made > 0 ? Array(1...made) : []
        var shortest = run
        var requests = run.allRequests
        // A request less is worth more than a fault less: it takes its messages with it.
        leaveOut(&requests, of: &shortest) { $0.leftOut.requests.insert($1) }
        leaveOut(&strikes, of: &shortest) { $0.leftOut.strikes.insert($1) }
        leaveOut(&requests, of: &shortest) { $0.leftOut.requests.insert($1) }
        let report = Simulator.run(shortest)
        return Short(
            run: shortest, faults: report.faults.reduce(0) { $0 + $1.injected }, requests: requests.count,
            report: report)
    }

    /// Leaves out as many of `parts` as it can: halves first, then smaller pieces.
    private mutating func leaveOut<Part>(
        _ parts: inout [Part], of shortest: inout SimulationRun, _ leave: (inout SimulationRun, Part) -> Void
    ) {
        var size = max(parts.count / 2, 1)
        while true {
            var start = 0
            while start < parts.count, runs < budget {
                let piece = parts[start..<min(start + size, parts.count)]
                var shorter = shortest
                for part in piece { leave(&shorter, part) }
                if strikesUntilFailure(of: shorter) != nil {
                    shortest = shorter
                    parts.removeSubrange(piece.indices)
                } else {
                    start += size
                }
            }
            guard size > 1, runs < budget else { return }
            size /= 2
        }
    }

    /// - Returns: nil if it does not fail.
    private mutating func strikesUntilFailure(of run: SimulationRun) -> Int? {
        runs += 1
        let world = World(run)
        world.run()
        return world.violations.isEmpty ? nil : world.strikesMade
    }
}

extension SimulationRun {
    /// Every request that the seed draws.
    fileprivate var allRequests: [RequestPlace] {
        let options = SimulationOptions(seed: seed)
        return (0..<options.clients).flatMap { client in
            (0..<options.requests).map { RequestPlace(client: client, request: $0) }
        }
    }
}
