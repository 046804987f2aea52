import Dispatch
import StatexThreads
import Synchronization

/// A few threads that read the journal for many tasks: each with a connection of its own that is opened when it is
/// needed and again when it was lost. At most so many reads wait; beyond that they are refused at once.
package final class ReadPool: Sendable {
    private let queue = Mutex(Queue())
    private let arrivals = DispatchSemaphore(value: 0)
    private let capacity: Int
    private let patience: Duration
    private let connect: @Sendable () throws(ReadError) -> JournalReader

    private struct Queue {
        var waiting: [Work] = []
        /// The first of `waiting` that is not taken.
        var head = 0
        var isClosed = false
    }

    /// A read that somebody waits for.
    private struct Work: Sendable {
        /// - Returns: why the connection was lost before an answer came; then nobody was told yet.
        let run: @Sendable (borrowing JournalReader) -> ReadError?
        let fail: @Sendable (ReadError) -> Void
        let isWanted: @Sendable () -> Bool
    }

    /// Somebody who waits: told once, whoever is first.
    private final class Waiter<T: Sendable>: Sendable {
        private let continuation: Mutex<CheckedContinuation<Swift.Result<T, ReadError>, Never>?>

        init(_ continuation: CheckedContinuation<Swift.Result<T, ReadError>, Never>) {
            self.continuation = Mutex(continuation)
        }

        var isThere: Bool { continuation.withLock { $0 != nil } }

        func tell(_ answer: Swift.Result<T, ReadError>) {
            continuation.withLock { $0.take() }?.resume(returning: answer)
        }
    }

    /// - Parameters:
    ///   - limit: how long the database may take for one statement, as it sees it itself.
    ///   - patience: how long anybody waits for an answer: a database that hangs keeps no limits.
    package init(
        url: String, name: String, threads: Int = 4, capacity: Int = 512, limit: Duration = .seconds(10),
        patience: Duration = .seconds(12)
    ) {
        self.capacity = capacity
        self.patience = patience
        connect = { () throws(ReadError) in try JournalReader(url: url, name: name, limit: limit) }
        for _ in 0..<threads { NamedThread("reads") { [self] in serve() }.detach() }
    }

    /// Ends the threads, once they have done what waits.
    package func close() {
        queue.withLock { $0.isClosed = true }
        arrivals.signal()
    }

    /// Runs `body` on one of the threads. It may run twice, when the connection was lost; when nobody waits for it any
    /// more it ends before its next statement.
    /// - Parameter patience: less than the pool's, if it is given.
    package func read<T: Sendable>(
        within patience: Duration? = nil,
        _ body: @escaping @Sendable (borrowing JournalReader) throws(ReadError) -> T
    ) async throws(ReadError) -> T {
        let patience = patience ?? self.patience
        var timer: Task<Void, Never>?
        let answer: Swift.Result<T, ReadError> = await withCheckedContinuation { continuation in
            let waiter = Waiter(continuation)
            let work = Work(
                run: { reader in
                    reader.read { waiter.isThere }
                    do throws(ReadError) {
                        waiter.tell(.success(try body(reader)))
                    } catch {
                        if case .unreachable = error { return error }
                        waiter.tell(.failure(error))
                    }
                    return nil
                }, fail: { waiter.tell(.failure($0)) }, isWanted: { waiter.isThere })
            if let refusal = put(work) { return waiter.tell(.failure(refusal)) }
            timer = Task {
                guard (try? await Task.sleep(for: patience)) != nil else { return }
                waiter.tell(.failure(.unreachable("the journal has not answered for \(patience)")))
            }
        }
        timer?.cancel()
        return try answer.get()
    }

    private func put(_ work: Work) -> ReadError? {
        let refusal: ReadError? = queue.withLock { queue in
            guard !queue.isClosed else { return .unreachable("reading has ended") }
            guard queue.waiting.count - queue.head < capacity else { return .busy }
            queue.waiting.append(work)
            return nil
        }
        if refusal == nil { arrivals.signal() }
        return refusal
    }

    /// Waits for the next read; nil: there will be none.
    private func next() -> Work? {
        while true {
            arrivals.wait()
            let work: Work? = queue.withLock { queue in
                guard queue.head < queue.waiting.count else { return nil }
                let work = queue.waiting[queue.head]
                queue.head += 1
                if queue.head == queue.waiting.count || queue.head > capacity {
                    queue.waiting.removeFirst(queue.head)
                    queue.head = 0
                }
                return work
            }
            guard let work else {
                // The end was signalled, once for all who wait.
                arrivals.signal()
                return nil
            }
            if work.isWanted() { return work }
        }
    }

    private func serve() {
        var left: Work?
        while let work = left ?? next() {
            left = nil
            do throws(ReadError) { left = serve(try connect(), from: work) } catch { work.fail(error) }
        }
    }

    /// Serves reads over one connection until it is lost.
    /// - Returns: the read that found it lost, to be tried over a new one. That a fresh one is lost at once is its
    ///   answer.
    private func serve(_ reader: consuming JournalReader, from first: Work) -> Work? {
        var work = first
        var isFirst = true
        while true {
            if let loss = work.run(reader) {
                guard isFirst else { return work }
                work.fail(loss)
                return nil
            }
            isFirst = false
            guard let following = next() else { return nil }
            work = following
        }
    }
}
