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

    /// Fair between subjects, whatever each of them asks: a question's rank is one more than that of its subject's last,
    /// or than that of whoever was let in last. So one that asks for a hundred things is let in between the others.
    private struct Queue {
        /// By rank, and of one rank as they came.
        private(set) var waiting: [Work] = []
        var isClosed = false
        /// Of the last that was taken, and of the last of each subject that waits.
        private var taken: UInt64 = 0
        private var last: [String: UInt64] = [:]

        mutating func put(_ work: Work) {
            var work = work
            work.rank = max(taken, last[work.subject] ?? 0) + 1
            last[work.subject] = work.rank
            // Mostly behind all others.
            var place = waiting.count
            while place > 0, waiting[place - 1].rank > work.rank { place -= 1 }
            waiting.insert(work, at: place)
        }

        mutating func take() -> Work? {
            guard !waiting.isEmpty else { return nil }
            let work = waiting.removeFirst()
            taken = work.rank
            // What is not above the last that was taken says nothing more.
            if last[work.subject] == work.rank { last[work.subject] = nil }
            return work
        }
    }

    /// A question that somebody waits for.
    private struct Work: Sendable {
        let subject: String
        var rank: UInt64 = 0
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

    /// Those that wait.
    package var waiting: Int { queue.withLock { $0.waiting.count } }

    /// Runs `body` on one of the threads. It may run twice, when the connection was lost, and go on when nobody waits for
    /// it any more, unless it looks whether somebody does.
    /// - Parameters:
    ///   - subject: who asks; subjects take turns.
    ///   - patience: less than that of all, if it is given.
    ///   - isWanted: asked before it begins; without that it does not.
    package func ask<T: Sendable>(
        of subject: String = "", within patience: Duration? = nil,
        while isWanted: @escaping @Sendable () -> Bool = { true },
        _ body: @escaping @Sendable (inout Link, _ isWanted: @escaping @Sendable () -> Bool) throws(ReadError) -> T
    ) async throws(ReadError) -> T {
        let patience = patience ?? self.patience
        var timer: Task<Void, Never>?
        let answer: Swift.Result<T, ReadError> = await withCheckedContinuation { continuation in
            let waiter = Waiter(continuation)
            let isAwaited: @Sendable () -> Bool = { waiter.isThere && isWanted() }
            let work = Work(
                subject: subject,
                run: { link in
                    do throws(ReadError) {
                        waiter.tell(.success(try body(&link, isAwaited)))
                    } catch {
                        if case .unreachable = error { return error }
                        waiter.tell(.failure(error))
                    }
                    return nil
                }, fail: { waiter.tell(.failure($0)) }, isWanted: isAwaited)
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
            guard queue.waiting.count < capacity else { return .busy }
            queue.put(work)
            return nil
        }
        if refusal == nil { arrivals.signal() }
        return refusal
    }

    /// Waits for the next question; nil: there will be none.
    private func next() -> Work? {
        while true {
            arrivals.wait()
            let work = queue.withLock { $0.take() }
            guard let work else {
                // The end was signalled, once for all who wait.
                arrivals.signal()
                return nil
            }
            if work.isWanted() { return work }
            work.fail(.unreachable("nobody waits for it any more"))
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
