import Glibc
import StatexConfiguration

/// A private Postgres that this process starts and stops: for tests and benchmarks.
///
///     var postgres = try EmbeddedPostgres(directory: "/tmp/x")
///     try postgres.start()
///     … postgres.url …
///     try postgres.stop()
package struct EmbeddedPostgres: ~Copyable {
    package let cluster: PostgresCluster
    private var child: ChildProcess?

    package var url: String { cluster.url }
    /// Of the postmaster, while it runs.
    package var pid: pid_t? {
        switch child {
        case .some(let child): child.pid
        case .none: nil
        }
    }

    /// Makes the database under `directory` if it is not there; about two seconds.
    /// - Parameter changes: settings besides or instead of the usual ones, as they would stand in a file.
    package init(directory: String, changes: [String: String] = [:]) throws(StackError) {
        try makePath(directory, mode: 0o755)
        cluster = try PostgresCluster(dataDirectory: ProcessTable.canonical(directory), changes: changes)
    }

    deinit {
        guard case .some(let child) = child else { return }
        child.signal(SIGQUIT)
        _ = child.wait(atMost: .seconds(10))
    }

    /// Starts it and waits until it accepts connections.
    package mutating func start() throws(StackError) {
        guard pid == nil else { return }
        try cluster.endLeftovers()
        let child = try ChildProcess.start(cluster.command)
        let deadline = ContinuousClock.now + .seconds(60)
        while !cluster.isReady(pid: child.pid) {
            if let status = child.wait(atMost: .milliseconds(10)) {
                throw StackError("Postgres ended with \(status) before it was ready: \(cluster.lastWords)")
            }
            guard ContinuousClock.now < deadline else {
                child.signal(SIGQUIT)
                _ = child.wait(atMost: .seconds(10))
                throw StackError("Postgres was not ready within 60 s: \(cluster.lastWords)")
            }
        }
        self.child = consume child
    }

    /// Shuts it down: sessions are ended, everything is on the disk.
    package mutating func stop() throws(StackError) { try end(SIGINT) }

    /// Ends it at once (Postgres' immediate shutdown): what it has to recover is in its log.
    package mutating func stopImmediately() throws(StackError) { try end(SIGQUIT) }

    /// Kills the postmaster as a crash would, and waits until its orphaned backends are gone too.
    package mutating func kill() throws(StackError) { try end(SIGKILL) }

    package mutating func restart() throws(StackError) {
        try stop()
        try start()
    }

    private mutating func end(_ signal: Int32) throws(StackError) {
        guard let child = child.take() else { return }
        child.signal(signal)
        guard child.wait(atMost: .seconds(60)) != nil else {
            throw StackError("Postgres (process \(child.pid)) did not end within 60 s")
        }
        try cluster.endLeftovers()
    }
}
