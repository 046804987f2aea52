import CLinux
import StatexStack

/// How the journal is stopped for a time.
package enum JournalFault: String, Sendable, CaseIterable {
    /// Its processes are stopped in the middle of what they do (SIGSTOP), and go on: a disk or a machine that hangs.
    case stop
    /// It ends at once, and is started again: a restart or a failover.
    case restart

    /// - Parameter waiting: called again and again until the time is over.
    /// - Returns: when the fault ended, in microseconds since 1970: for a restart when the start was ordered.
    func run(
        on postgres: inout EmbeddedPostgres, seconds: Int, waiting: () async throws -> Void
    ) async throws -> Int64 {
        switch self {
        case .stop:
            // A process of its own does it, and puts it right also if we die: nobody else would wake them.
            let child = try ChildProcess.start(Self.stopping(postgres.cluster.leftovers(), seconds: seconds))
            while child.reap() == nil { try await waiting() }
            return clinux_wall_microseconds()
        case .restart:
            try postgres.stopImmediately()
            let end = ContinuousClock.now + .seconds(seconds)
            while ContinuousClock.now < end { try await waiting() }
            let ended = clinux_wall_microseconds()
            try postgres.start()
            return ended
        }
    }

    private static func stopping(_ processes: [Int32], seconds: Int) -> Command {
        Command(
            "/bin/sh",
            [
                "-c",
                """
                trap 'kill -CONT "$@"; kill $!' EXIT
                trap 'exit' TERM INT
                exec 2> /dev/null
                kill -STOP "$@"
                sleep \(seconds) & wait
                """, "sh",
            ] + processes.map(String.init), environment: BenchStack.environment)
    }
}
