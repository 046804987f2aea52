import Dispatch
import Synchronization
import Testing

@testable import StatexReads

/// Whose turn it is on threads that ask for many.
struct JournalThreadsTests {
    /// A connection to nothing.
    private struct Line: ~Copyable {}

    /// Holds the only thread until it lets go, and notes who was served then.
    private final class Counter: Sendable {
        let threads = JournalThreads<Line>("test", threads: 1) { () throws(ReadError) in Line() }
        private let lock = DispatchSemaphore(value: 0)
        private let isHeld = Mutex(false)
        private let notes = Mutex<[String]>([])

        var served: [String] { notes.withLock { $0 } }

        func hold(for subject: String) async throws(ReadError) {
            try await threads.ask(of: subject) { [self] _, _ throws(ReadError) in
                isHeld.withLock { $0 = true }
                lock.wait()
            }
        }

        // No signal tells these: they are looked at again and again.
        func held() async { while !isHeld.withLock({ $0 }) { await Task.yield() } }
        func waits(for count: Int) async { while threads.waiting != count { await Task.yield() } }

        func serve(_ subject: String, while isWanted: @escaping @Sendable () -> Bool = { true }) async throws(ReadError)
        {
            try await threads.ask(of: subject, while: isWanted) { [self] _, _ throws(ReadError) in
                notes.withLock { $0.append(subject) }
            }
        }

        func letGo() { lock.signal() }
    }

    @Test func `who asks for one thing waits for one of those who ask for many, not for all of them`() async throws {
        let counter = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await counter.hold(for: "greedy") }
            await counter.held()
            for count in 1...40 {
                group.addTask { try await counter.serve(count % 2 == 0 ? "greedy" : "greedy too") }
                await counter.waits(for: count)
            }
            for (count, subject) in zip(41..., ["modest", "shy"]) {
                group.addTask { try await counter.serve(subject) }
                await counter.waits(for: count)
            }
            counter.letGo()
            try await group.waitForAll()
        }
        let served = counter.served
        #expect(served.count == 42 && Set(served.prefix(4)) == ["greedy", "greedy too", "modest", "shy"])
        counter.threads.close()
    }

    @Test func `what nobody wants any more is not asked`() async throws {
        let counter = Counter()
        await #expect(throws: ReadError.self) { try await counter.serve("gone", while: { false }) }
        try await counter.serve("there")
        #expect(counter.served == ["there"])
        counter.threads.close()
    }
}
