/// The threads that read for people and services: at most so many reads wait, and none of them for long.
package final class ReadPool: Sendable {
    private let threads: JournalThreads<JournalReader>

    /// - Parameters:
    ///   - name: for the database's list of its sessions.
    ///   - limit: how long one statement may take.
    ///   - patience: how long anybody waits for an answer.
    package init(
        url: String, name: String, threads: Int = 4, capacity: Int = 512, limit: Duration = JournalLimits.statement,
        patience: Duration = JournalLimits.patience
    ) {
        self.threads = JournalThreads("reads", threads: threads, capacity: capacity, patience: patience) {
            () throws(ReadError) in try JournalReader(url: url, name: name, limit: limit)
        }
    }

    /// Ends the threads, once they have done what waits.
    package func close() { threads.close() }

    /// Runs `body` on one of the threads. It may run twice, when the connection was lost; when nobody waits for it any
    /// more it ends before its next statement.
    /// - Parameter patience: less than the pool's, if it is given.
    package func read<T: Sendable>(
        within patience: Duration? = nil,
        _ body: @escaping @Sendable (borrowing JournalReader) throws(ReadError) -> T
    ) async throws(ReadError) -> T {
        try await threads.ask(within: patience) { reader, isWanted throws(ReadError) in
            reader.read(while: isWanted)
            return try body(reader)
        }
    }
}
