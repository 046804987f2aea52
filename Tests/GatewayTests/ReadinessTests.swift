import Hummingbird
import Synchronization
import Testing

@testable import StatexGateway

/// Looks whether the gateway is ready, of which there is one at a time.
@Suite(.timeLimit(.minutes(1))) struct ReadinessTests {
    /// Counts looks; each waits until it is told what it finds.
    private final class Looks: Sendable {
        private let begun = Mutex(0)
        private let found: AsyncStream<[Readiness.Reason]>
        private let finding: AsyncStream<[Readiness.Reason]>.Continuation

        init() { (found, finding) = AsyncStream.makeStream(of: [Readiness.Reason].self) }

        var count: Int { begun.withLock { $0 } }

        func look() async -> [Readiness.Reason] {
            begun.withLock { $0 += 1 }
            var iterator = found.makeAsyncIterator()
            return await iterator.next() ?? []
        }

        func find(_ reasons: [Readiness.Reason]) { finding.yield(reasons) }
    }

    private final class Count: Sendable {
        private let value = Mutex(0)
        var now: Int { value.withLock { $0 } }
        func add() { value.withLock { $0 += 1 } }
    }

    private static let away = Readiness.Reason(part: "journal", text: "away")

    @Test func `of many who ask at once one look is made, whose answer all have`() async {
        let looks = Looks()
        let readiness = Readiness { await looks.look() }
        let asking = Count()
        await withTaskGroup(of: [Readiness.Reason].self) { group in
            for _ in 0..<100 {
                group.addTask {
                    asking.add()
                    return await readiness.reasons()
                }
            }
            while asking.now < 100 || looks.count == 0 { await Task.yield() }
            looks.find([Self.away])
            for await reasons in group { #expect(reasons == [Self.away]) }
        }
        #expect(looks.count == 1)
    }

    @Test func `who asks anew looks again, and who gave up takes no look from the others`() async {
        let looks = Looks()
        let readiness = Readiness { await looks.look() }
        let first = Task { await readiness.reasons() }
        while looks.count == 0 { await Task.yield() }
        first.cancel()
        let asks = Count()
        async let second = {
            asks.add()
            return await readiness.reasons()
        }()
        while asks.now == 0 { await Task.yield() }
        looks.find([Self.away])
        #expect(await second == [Self.away])
        looks.find([])
        #expect(await readiness.reasons(fresh: true) == [])
        #expect(looks.count == 2)
    }
}
