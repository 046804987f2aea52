import StatexProtocol
import Testing

@testable import StatexSchedulerCore

@Suite("Circuit")
struct CircuitTests {
    private static let second: Int64 = 1_000_000_000
    private let settings = Circuit.Settings(
        failures: 6, jobs: 3, waitNanoseconds: second, maximumNanoseconds: 4 * second)

    /// One that has just opened, at time 0.
    private func opened() -> Circuit {
        var circuit = Circuit(settings)
        for number in 0..<6 { _ = circuit.failed(UInt64(number % 3) + 1, at: 0) }
        return circuit
    }

    /// What each failure says.
    private func fail(_ circuit: inout Circuit, jobs: [UInt64], at time: Int64 = 0) -> [Int64?] {
        var news: [Int64?] = []
        for job in jobs { news.append(circuit.failed(job, at: time)) }
        return news
    }

    @Test("It opens after so many failures in a row of so many jobs")
    func opens() {
        var circuit = Circuit(settings)
        #expect(fail(&circuit, jobs: [1, 2, 3, 1, 2]) == [nil, nil, nil, nil, nil])
        #expect(fail(&circuit, jobs: [1]) == [Self.second])
        #expect(circuit.state(at: 0) == .open(until: Self.second))
        #expect(!circuit.mayStart(at: Self.second - 1) && circuit.mayStart(at: Self.second))
    }

    @Test("One poison job, a success between, and a setting of 0 do not open it")
    func staysClosed() {
        var poison = Circuit(settings)
        _ = fail(&poison, jobs: [UInt64](repeating: 7, count: 100))
        var mixed = Circuit(settings)
        for number in 0..<100 {
            if number % 5 == 4 { mixed.succeeded() }
            _ = fail(&mixed, jobs: [UInt64(number)])
        }
        var off = Circuit(settings)
        off.settings.failures = 0
        _ = fail(&off, jobs: Array(1...100))
        #expect(poison.isClosed && mixed.isClosed && off.isClosed)
    }

    @Test("One job probes; each probe that fails doubles the wait, up to the maximum")
    func probes() {
        var circuit = opened()
        var time: Int64 = Self.second
        for wait: Int64 in [2, 4, 4, 4] {
            #expect(circuit.state(at: time) == .due)
            circuit.started(9)
            #expect(circuit.state(at: time) == .probing(job: 9))
            #expect(!circuit.mayStart(at: time + 100 * Self.second))
            #expect(fail(&circuit, jobs: [9], at: time) == [time + wait * Self.second])
            time += wait * Self.second
        }
    }

    @Test("The first success closes it, of the probe or of an attempt of before, and the wait begins anew")
    func closes() {
        var circuit = opened()
        circuit.started(9)
        _ = circuit.failed(9, at: Self.second)
        circuit.succeeded()
        #expect(circuit.isClean && circuit.state(at: Self.second) == .closed)
        for number in 0..<6 { _ = circuit.failed(UInt64(number), at: 0) }
        #expect(circuit.state(at: 0) == .open(until: Self.second))
    }

    @Test("Attempts of before that fail change nothing, and a probe without a verdict makes way for the next")
    func undecided() {
        var circuit = opened()
        #expect(fail(&circuit, jobs: [5]) == [nil])
        circuit.started(9)
        #expect(fail(&circuit, jobs: [5], at: Self.second) == [nil])
        circuit.ended(5)
        #expect(circuit.state(at: Self.second) == .probing(job: 9))
        circuit.ended(9)
        #expect(circuit.state(at: Self.second) == .due)
    }

    @Test("Setting it to 0 closes it")
    func switchedOff() {
        var circuit = opened()
        circuit.change(to: .init(failures: 0, jobs: 3, waitNanoseconds: 1, maximumNanoseconds: 1))
        #expect(circuit.isClosed)
    }
}

@Suite("Retry budget")
struct RetryBudgetTests {
    private static let second: Int64 = 1_000_000_000

    /// One that is used up.
    private func budget(share: Double = 0.2, perSecond: Double = 2, burst: Int = 5) -> RetryBudget {
        var settings = RetryBudget.Settings()
        settings.share = share
        settings.perSecond = perSecond
        settings.burst = burst
        var budget = RetryBudget(settings, at: 0)
        #expect(count(&budget) == burst)
        return budget
    }

    /// How many retries it allows now.
    private func count(_ budget: inout RetryBudget, at time: Int64 = 0) -> Int {
        var count = 0
        while budget.take(at: time) { count += 1 }
        return count
    }

    @Test("Each five first attempts allow one retry at a share of a fifth")
    func share() {
        var budget = budget()
        for round in 0..<10 {
            for _ in 0..<4 { budget.firstAttempt() }
            #expect(count(&budget) == 0, "\(round)")
            budget.firstAttempt()
            #expect(count(&budget) == 1)
        }
    }

    @Test("The constant rate alone allows the next one when it says so")
    func rate() throws {
        var budget = budget()
        var time: Int64 = 0
        for _ in 0..<20 {
            let next = try #require(budget.nextAt)
            #expect(next - time == Self.second / 2)
            #expect(count(&budget, at: next - 1_000_000) == 0)
            #expect(count(&budget, at: next) == 1)
            time = next
        }
    }

    @Test("However long the rest, no more than the burst gathers")
    func burst() {
        var budget = budget()
        for _ in 0..<1_000 { budget.firstAttempt() }
        #expect(count(&budget, at: .max / 2) == 5)
    }

    @Test("A retry that succeeds makes room for two")
    func success() {
        var budget = budget(burst: 50)
        budget.retrySucceeded()
        #expect(count(&budget) == 2)
    }
}
