import Glibc
import StatexPostgres
import StatexProtocol
import StatexStack

/// What another transaction's open snapshot costs: under full load, windows with and without one in turn,
/// and one that is held for two minutes. The classic end of queues in Postgres.
package struct SnapshotHold {
    package var windowSeconds = 10
    package var pairs = 6
    package var holdSeconds = 120

    package init() {}

    package struct Report: Sendable {
        package var without: [Double] = []
        package var with: [Double] = []
        package var endOfHold = 0.0
        package var deadRows = 0

        static func median(_ values: [Double]) -> Double { values.isEmpty ? 0 : values.sorted()[values.count / 2] }

        package var json: JSONText {
            let base = max(Self.median(without), 1)
            var text = JSONText()
            text.object {
                $0.member("jobs_per_second_without", Self.median(without).rounded())
                $0.member("jobs_per_second_with", Self.median(with).rounded())
                $0.member("ratio", Self.median(with) / base)
                $0.member("ratio_at_end_of_hold", endOfHold / base)
                $0.member("dead_rows", deadRows)
            }
            return text
        }
    }

    package func run(program: String, progress: (String) -> Void) throws -> Report {
        progress("starting a private stack")
        var stack = try BenchStack(program: program)
        try stack.startWorkers(1, slots: 4)
        try ClientProcess.warm(program, endpoint: stack.submitEndpoint, directory: stack.directory)
        let load = try ClientProcess.startForever(program, endpoint: stack.submitEndpoint, directory: stack.directory)
        defer {
            load.signal(SIGKILL)
            _ = load.wait(atMost: .seconds(10))
        }
        let counter = try Connection(stack.database, name: "statex bench")
        let holder = try Connection(stack.database, name: "statex bench snapshot")
        var report = Report()
        _ = try rate(counter, seconds: windowSeconds)
        for pair in 0..<pairs {
            progress("window pair \(pair + 1) of \(pairs)")
            report.without.append(try rate(counter, seconds: windowSeconds))
            try hold(holder)
            report.with.append(try rate(counter, seconds: windowSeconds))
            try holder.run("COMMIT", doing: "release the snapshot")
        }
        progress("holding one snapshot for \(holdSeconds) s")
        try hold(holder)
        _ = try rate(counter, seconds: holdSeconds - windowSeconds)
        report.endOfHold = try rate(counter, seconds: windowSeconds)
        try holder.run("COMMIT", doing: "release the snapshot")
        let dead = try counter.query(
            "SELECT coalesce(sum(n_dead_tup), 0) FROM pg_stat_user_tables WHERE schemaname = 'statex'",
            doing: "dead rows")
        report.deadRows = Int(dead.integer(0, 0))
        return report
    }

    private func hold(_ connection: borrowing Connection) throws(PostgresError) {
        try connection.run(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM statex.names", doing: "hold a snapshot")
    }

    /// Outcomes a second over a window, as the chain counts them.
    private func rate(_ connection: borrowing Connection, seconds: Int) throws(PostgresError) -> Double {
        let first = try lastBatch(connection)
        let started = ContinuousClock.now
        sleep(UInt32(max(seconds, 1)))
        let last = try lastBatch(connection)
        let took = (ContinuousClock.now - started).components
        let rows = try connection.query(
            "SELECT coalesce(sum(outcomes), 0) FROM statex.commits WHERE shard = 0 AND batch > \(first) AND batch <= \(last)",
            doing: "rate")
        return Double(rows.integer(0, 0)) / (Double(took.seconds) + Double(took.attoseconds) / 1e18)
    }

    private func lastBatch(_ connection: borrowing Connection) throws(PostgresError) -> Int64 {
        let rows = try connection.query(
            "SELECT batch FROM statex.commits WHERE shard = 0 ORDER BY batch DESC LIMIT 1", doing: "rate")
        return rows.rows == 1 ? rows.integer(0, 0) : 0
    }
}
