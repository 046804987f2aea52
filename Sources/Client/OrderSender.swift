import StatexProtocol
import Synchronization

/// Numbers the orders of a process: no two have the same.
package final class OrderNumbers: Sendable {
    private let last = Atomic<UInt64>(0)

    package init() {}

    fileprivate func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}

/// Gives an operator's orders, and adds up how far they reached.
package struct OrderSender: Sendable {
    private let client: Client
    private let numbers: OrderNumbers
    private let who: String
    private let note: String
    private let isDryRun: Bool
    package private(set) var reached = 0

    /// Dead letters that are named in one order: a commit takes their payloads.
    private static let lettersAtOnce = 100

    /// - Parameters:
    ///   - who: for the audit trail: who orders it.
    ///   - note: for the audit trail: why.
    package init(
        _ client: Client, numbers: OrderNumbers = OrderNumbers(), who: String, note: String = "", isDryRun: Bool = false
    ) {
        self.client = client
        self.numbers = numbers
        self.who = who
        self.note = note
        self.isDryRun = isDryRun
    }

    package mutating func give(_ action: OrderAction, _ filter: OrderFilter) async throws(ClientError) -> OrderReply {
        var order = Order(action, number: numbers.next(), who: who)
        order.isDryRun = isDryRun
        order.note = note
        order.filter = filter
        let reply = try await client.order(order)
        reached += Int(reply.reached)
        return reply
    }

    /// The same order until nothing is left that it reaches.
    @discardableResult
    package mutating func giveAll(
        _ action: OrderAction, _ filter: OrderFilter
    ) async throws(ClientError) -> (first: OrderReply, last: OrderReply) {
        let first = try await give(action, filter)
        var last = first
        while last.hasMore { last = try await give(action, filter) }
        return (first, last)
    }

    /// An order about dead letters, a few at a time.
    /// - Parameters:
    ///   - rate: so many a second at most.
    ///   - told: hears how far it reached.
    package mutating func give(
        _ action: OrderAction, letters: [JobID], perSecond rate: Double?, told: (Int) -> Void = { _ in }
    ) async throws(ClientError) -> LetterOutcome {
        var outcome = LetterOutcome(action)
        let started = ContinuousClock.now
        let step = rate.map { max(1, min(Self.lettersAtOnce, Int($0 / 10))) } ?? Self.lettersAtOnce
        for start in stride(from: 0, to: letters.count, by: step) {
            if let rate {
                do { try await Task.sleep(until: started + .seconds(Double(start) / rate), clock: .continuous) } catch {
                    throw .cancelled
                }
            }
            var filter = OrderFilter()
            filter.jobs = Array(letters[start...].prefix(step))
            let before = reached
            let (first, last) = try await giveAll(action, filter)
            told(reached)
            outcome.add(filter.jobs.count, reached: reached - before, first: first, last: last)
        }
        return outcome
    }
}
