import Glibc
import StatexProtocol
import StatexStack

/// Idle: what workers cost the scheduler that are connected and have nothing to do, beside what it costs alone.
package struct IdleCost {
    package var connections = 1_000
    package var seconds = 60

    /// libzmq has so many sockets a process, and each worker of the storm is one.
    private static let inProcess = 500

    package init() {}

    package struct Report: Sendable {
        /// CPU time over time, in percent of a core.
        package var alone = 0.0
        package var connected = 0.0
        package var bytesPerConnection = 0.0

        package var json: JSONText {
            var text = JSONText()
            text.object {
                $0.member("scheduler_percent_alone", alone)
                $0.member("scheduler_percent_connected", connected)
                $0.member("scheduler_bytes_per_connection", bytesPerConnection.rounded())
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) throws -> Report {
        progress("starting a private stack")
        let stack = try BenchStack(program: program)
        let pid = stack.schedulerPID
        var report = Report()
        // Warm: it serves once a client was answered.
        try ClientProcess.warm(program, endpoint: stack.submitEndpoint, directory: stack.directory)
        let before = ProcessUse.residentBytes(pid)
        progress("measuring it alone for \(seconds) s")
        report.alone = try percent(of: pid, stack.watch)
        progress("connecting \(connections) workers")
        var storms: [Storm] = []
        var left = connections
        while left > 0 {
            let count = min(left, Self.inProcess)
            storms.append(
                try Storm(
                    program, endpoint: stack.workerEndpoint, connections: count, directory: stack.directory,
                    number: storms.count))
            left -= count
        }
        report.bytesPerConnection = Double(ProcessUse.residentBytes(pid) - before) / Double(connections)
        progress("measuring it with them for \(seconds) s")
        report.connected = try percent(of: pid, stack.watch)
        withExtendedLifetime(storms) {}
        return report
    }

    private func percent(of pid: Int32, _ watch: () throws -> Void) throws -> Double {
        let clock = ContinuousClock()
        let (start, used) = (clock.now, ProcessUse.cpuNanoseconds(pid))
        for _ in 0..<seconds {
            sleep(1)
            try watch()
        }
        let time = (clock.now - start) / .nanoseconds(1)
        return Double(ProcessUse.cpuNanoseconds(pid) - used) / time * 100
    }
}
