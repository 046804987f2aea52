import StatexSchedulerCore

/// What goes wrong in one run, and when: made of the seed alone.
///
/// The plan is the same each time; how the processes meet it is not, so a seed that failed may pass
/// when it is run again. Run it many times.
struct ChaosPlan: CustomStringConvertible {
    enum Fault: String, CaseIterable {
        case schedulerKilled, schedulerFrozen, schedulerStopped
        /// It is frozen, another one takes over at the same endpoints, and it wakes up.
        case schedulerReplaced
        case workerKilled, workerFrozen, workerStopped
        /// Any process below a worker: a handler or its launcher.
        case handlerKilled
        /// One server process: the postmaster ends all others and recovers.
        case backendKilled
        case postgresKilled, postgresStopped
    }

    struct Event {
        /// Since the start of the storm.
        let at: Duration
        let fault: Fault
        /// Which of several victims; any number.
        let victim: Int
        /// Until it is started again or goes on.
        let pause: Duration
    }

    let seed: UInt64
    let events: [Event]
    let duration: Duration
    let hasCrashJob: Bool
    /// Requests that one client leaves unfinished at most: the load follows what the system can do.
    let unfinished: Int

    init(seed: UInt64) {
        self.seed = seed
        var chance = SeededGenerator(seed: seed)
        // A run that leaves some faults out reaches what the others hide.
        let present = Fault.allCases.filter { _ in Bool.random(using: &chance) }
        let faults = present.isEmpty ? [.schedulerKilled, .postgresKilled] : present
        let count = Int.random(in: 5...12, using: &chance)
        var events: [Event] = []
        for _ in 0..<count {
            events.append(
                Event(
                    at: .milliseconds(Int.random(in: 100...2_400, using: &chance)),
                    fault: faults[Int.random(in: 0..<faults.count, using: &chance)],
                    victim: Int.random(in: 0..<1_000, using: &chance),
                    pause: .milliseconds(Self.pause(using: &chance))))
        }
        self.events = events.sorted { $0.at < $1.at }
        duration = .milliseconds(2_500)
        hasCrashJob = Int.random(in: 0..<4, using: &chance) == 0
        unfinished = [10, 50, 200][Int.random(in: 0..<3, using: &chance)]
    }

    /// Mostly short, so that faults meet the recovery from the one before; sometimes long.
    private static func pause(using chance: inout SeededGenerator) -> Int {
        Int.random(in: 0..<4, using: &chance) == 0
            ? Int.random(in: 400...1_500, using: &chance) : Int.random(in: 0...200, using: &chance)
    }

    var description: String {
        events.map { "\($0.at) \($0.fault.rawValue) \($0.victim % 100), back after \($0.pause)" }.joined(
            separator: "; ")
            + "; \(unfinished) unfinished requests" + (hasCrashJob ? "; a crash job" : "")
    }
}
