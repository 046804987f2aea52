import StatexBenchmarks
import Testing

@Suite("Return to normal")
struct RecoveryTests {
    private static let second: Int64 = 1_000_000
    private static let start: Int64 = 1_700_000_000_000_000
    /// Twenty seconds of before, a minute of fault, thirty seconds of after.
    private let fault = (start + 20 * second)..<(start + 80 * second)
    private let end = start + 110 * second

    /// A thousand jobs in a hundred commits each second; `share` says how much of that, by seconds from the
    /// end of the fault.
    private func recovery(_ share: (Double) -> Double) -> Recovery {
        var ends: [(at: Int64, count: Int)] = []
        for at in stride(from: Self.start, to: end, by: 10_000) {
            let seconds = Double(at - fault.upperBound) / 1e6
            ends.append((at, Int((10 * share(seconds)).rounded())))
        }
        return Recovery(EndSeries(ends), from: Self.start, fault: fault, until: end)
    }

    @Test("Throughputs are jobs a second before, during and from ten seconds after the fault on")
    func throughputs() {
        let recovery = recovery { $0 < -60 ? 1 : $0 < 0 ? 0.2 : $0 < 10 ? 0.5 : 2 }
        #expect(recovery.before == 1_000)
        #expect(recovery.during == 200)
        #expect(recovery.after == 2_000)
        #expect(recovery.ratio == 2)
    }

    @Test("What was never disturbed is normal at once")
    func undisturbed() { #expect(recovery { _ in 1 }.seconds == 0) }

    @Test("It counts from the end of the fault to the moment from which on all is normal", arguments: [0.5, 4, 12, 20])
    func returns(after seconds: Double) throws {
        let found = try #require(recovery { $0 < -60 || $0 >= seconds ? 1 : 0 }.seconds)
        // Of three seconds 95%: up to 0.15 s of them may be missing.
        #expect(found <= seconds && found >= seconds - 0.2)
    }

    @Test("It has to stay normal for ten seconds: a slump before counts, one after does not")
    func slumps() throws {
        let early = try #require(recovery { $0 < 0 || !(8..<9).contains($0) ? 1 : 0.5 }.seconds)
        #expect((8...9).contains(early))
        #expect(recovery { $0 < 11 ? 1 : 0.5 }.seconds == 0)
        #expect(recovery { $0 < 0 || $0 >= 21 ? 1 : 0 }.seconds == nil)
    }

    @Test("One second that is slower by a tenth does not count; each of them being so does")
    func noise() {
        #expect(recovery { (8..<9).contains($0) ? 0.9 : 1 }.seconds == 0)
        #expect(recovery { $0 < 0 ? 1 : 0.9 }.seconds == nil)
    }

    @Test("What had piled up does not make good for a standstill")
    func pileUp() throws {
        let found = try #require(recovery { $0 < -60 ? 1 : $0 < 2 ? 0 : $0 < 4 ? 5 : 1 }.seconds)
        // Two seconds; what piled up fills the last of the seconds that are looked at.
        #expect(found > 1 && found <= 2)
    }

    @Test("Without a throughput before there is no normal")
    func nothingBefore() {
        let recovery = recovery { $0 < 0 ? 0 : 1 }
        #expect(recovery.seconds == nil && recovery.before == 0 && recovery.ratio == 0)
    }

    @Test("A measurement that is too short for three seconds says nothing")
    func short() {
        let ends = EndSeries([(Self.start, 1_000)])
        let fault = (Self.start + Self.second)..<(Self.start + 2 * Self.second)
        #expect(Recovery(ends, from: Self.start, fault: fault, until: fault.upperBound + Self.second).seconds == nil)
    }
}

@Suite("Series of ends")
struct EndSeriesTests {
    @Test("A range counts its first moment and not its last, whatever the order in which commits are given")
    func ranges() {
        let series = EndSeries([(30, 5), (10, 1), (20, 2), (20, 3)])
        #expect(series.count(0..<100) == 11)
        #expect(series.count(10..<20) == 1)
        #expect(series.count(11..<31) == 10)
        #expect(series.count(20..<20) == 0)
        #expect(series.rate(10..<20) == 100_000)
        #expect(EndSeries().rate(0..<10) == 0)
    }

    @Test("Series of several kinds add up")
    func sums() {
        let sum = EndSeries(sumOf: [EndSeries([(10, 1), (20, 2)]), EndSeries(), EndSeries([(10, 4), (15, 8)])])
        #expect(sum == EndSeries([(10, 1), (10, 4), (15, 8), (20, 2)]))
        #expect(sum.count(10..<16) == 13)
    }
}
