import Glibc
import StatexClient
import StatexProtocol
import StatexStack
import StatexZeroMQ

/// What it costs the scheduler that somebody hears its events: the same load on one stack, in turns with a subscriber
/// and without.
package struct EventCost {
    /// Jobs of one round.
    package var jobs = 200_000
    /// Rounds with, and as many without.
    package var pairs = 4

    package init() {}

    package struct Report {
        struct Round {
            var jobsPerSecond: Double
            /// Of the scheduler.
            var microsecondsAJob: Double
        }
        var with: [Round] = []
        var without: [Round] = []
        var heard = 0
        var missed = 0
        var jobs = 0

        private func median(_ values: [Double]) -> Double {
            values.isEmpty ? 0 : values.sorted()[values.count / 2]
        }

        private func ratio(_ value: (Round) -> Double) -> Double {
            median(with.map(value)) / max(median(without.map(value)), .leastNormalMagnitude)
        }

        package var json: JSONText {
            var text = JSONText()
            text.object {
                for (name, rounds) in [("with", with), ("without", without)] {
                    $0.object(name) {
                        $0.member("jobs_per_second", median(rounds.map(\.jobsPerSecond)).rounded())
                        $0.member("scheduler_us_a_job", median(rounds.map(\.microsecondsAJob)))
                    }
                }
                $0.member("ratio_jobs_per_second", ratio(\.jobsPerSecond))
                $0.member("ratio_scheduler_cpu", ratio(\.microsecondsAJob))
                $0.member("events_a_job", Double(heard) / Double(max(jobs, 1)))
                $0.member("gaps", missed)
                $0.member("rounds", with.count + without.count)
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        try stack.startWorkers(1, slots: 2)
        var report = Report()
        _ = try round(stack, program)
        for pair in 0..<pairs {
            for isHeard in pair % 2 == 0 ? [true, false] : [false, true] {
                progress("round \(pair + 1) of \(pairs) \(isHeard ? "with" : "without") a subscriber")
                guard isHeard else {
                    report.without.append(try round(stack, program))
                    continue
                }
                let subscriber = try SubscriberProcess(program, stack)
                report.with.append(try round(stack, program))
                let said = try subscriber.end()
                report.heard += said.heard
                report.missed += said.gaps
                report.jobs += jobs
            }
        }
        return report
    }

    private func round(_ stack: borrowing BenchStack, _ program: String) throws -> Report.Round {
        let before = ProcessUse.cpuNanoseconds(stack.schedulerPID)
        let load = try ClientProcess.run(
            program, endpoint: stack.submitEndpoint, jobs: jobs, payloadBytes: 256, jobsInMessage: 500,
            directory: stack.directory, watch: stack.watch)
        let used = ProcessUse.cpuNanoseconds(stack.schedulerPID) - before
        return .init(
            jobsPerSecond: Double(jobs) / load.seconds, microsecondsAJob: Double(used) / 1_000 / Double(jobs))
    }
}

/// Who hears all events and counts them, in a process of its own: `statex bench subscriber` (hidden).
package struct SubscriberProcess: ~Copyable {
    private let child: ChildProcess
    private let log: String

    init(_ program: String, _ stack: borrowing BenchStack) throws {
        log = stack.directory + "/subscriber.log"
        var command = Command(
            program, ["bench", "subscriber", "--endpoint", stack.eventsEndpoint], environment: BenchStack.environment)
        command.log = log
        command.announces = true
        child = try ChildProcess.start(command)
        // It says so once it hears.
        for _ in 0..<1_000 where ProcessUse.text(log).isEmpty {
            if child.wait(atMost: .milliseconds(10)) != nil { break }
        }
    }

    /// - Returns: what it heard.
    consuming func end() throws -> (heard: Int, gaps: Int) {
        child.signal(SIGTERM)
        let status = child.wait(atMost: .seconds(10))
        let numbers = ProcessUse.text(log).split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
        guard status == .exited(0), numbers.count == 2 else {
            child.signal(SIGKILL)
            throw StackError("the subscriber ended with \(String(describing: status)): \(ProcessUse.text(log))")
        }
        return (numbers[0], numbers[1])
    }

    /// What the process itself does, until it is told to stop.
    package static func main(endpoint: String, isStopped: () -> Bool) throws {
        var receiver = EventReceiver(endpoint, in: try ZeroMQContext())
        var cursor = EventCursor()
        var (heard, gaps, isListening) = (0, 0, false)
        while true {
            guard let message = try receiver.next(milliseconds: 200) else {
                // What is on its way when it is told to stop counts too.
                if isStopped() { break }
                continue
            }
            for news in cursor.news(of: message) {
                if case .gap = news { gaps += 1 } else { heard += 1 }
            }
            if !isListening { print("listening") }
            fflush(nil)
            isListening = true
        }
        print("\(heard) \(gaps)")
    }
}
