import Dispatch
import StatexThreads
import Synchronization

/// What asking the journal may take.
package enum JournalLimits {
    /// How long the database may take for one statement, as it sees it itself.
    package static let statement = Duration.seconds(10)
    /// How long anybody waits for an answer: a database that hangs keeps no limits, and one that does says so first.
    package static let patience = Duration.seconds(12)
}

/// A few threads that ask the journal for many tasks: each with a connection of its own that is opened when it is
/// needed and again when it was lost. At most so many questions wait; beyond that they are refused at once.
///
/// Nobody waits for the threads themselves: one may hang with its database, also when the process ends.
package final class JournalThreads<Link: ~Copyable>: Sendable {
    private let queue = Mutex(Queue())
    private let arrivals = DispatchSemaphore(value: 0)
    private let capacity: Int
    private let patience: Duration
    private let connect: @Sendable () throws(ReadError) -> Link

    private struct Queue {
        var waiting: [Work] = []
        /// The first of `waiting` that is not taken.
        var head = 0
        var isClosed = false
    }

    /// A question that somebody waits for.
    private struct Work: Sendable {
        /// - Returns: why the connection was lost before an answer came; then nobody was told yet.
        let run: @Sendable (inout Link) -> ReadError?
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
    ///   - name: of the threads.
    ///   - connect: opens a connection, on the thread that will use it.
    package init(
        _ name: String, threads: Int, capacity: Int = 512, patience: Duration = JournalLimits.patience,
        connect: @escaping @Sendable () throws(ReadError) -> Link
    ) {
        self.capacity = capacity
        self.patience = patience
        self.connect = connect
        for _ in 0..<threads { NamedThread(name) { [self] in serve() }.detach() }
    }

    /// Ends the threads, once they have done what waits.
    package func close() {
        queue.withLock { $0.isClosed = true }
        arrivals.signal()
    }

    /// Runs `body` on one of the threads. It may run twice, when the connection was lost, and go on when nobody waits for
    /// it any more.
    /// - Parameter patience: less than that of all, if it is given.
    package func ask<T: Sendable>(
        within patience: Duration? = nil, _ body: @escaping @Sendable (inout Link) throws(ReadError) -> T
    ) async throws(ReadError) -> T {
        let patience = patience ?? self.patience
        var timer: Task<Void, Never>?
        let answer: Swift.Result<T, ReadError> = await withCheckedContinuation { continuation in
            let waiter = Waiter(continuation)
            let work = Work(
                run: { link in
                    do throws(ReadError) {
                        waiter.tell(.success(try body(&link)))
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

    /// Waits for the next question; nil: there will be none.
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

    /// Asks over one connection until it is lost.
    /// - Returns: the question that found it lost, to be tried over a new one. That a fresh one is lost at once is its
    ///   answer.
    private func serve(_ link: consuming Link, from first: Work) -> Work? {
        var work = first
        var isFirst = true
        while true {
            if let loss = work.run(&link) {
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
