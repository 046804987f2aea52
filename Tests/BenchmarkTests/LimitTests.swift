import StatexBenchmarks
import Testing

@Suite("Limits as the journal shows them")
struct LimitTests {
    @Test("The second with most moments is found wherever it begins, both of its ends included")
    func window() {
        #expect(LimitAudit.most([], in: 10) == 0)
        #expect(LimitAudit.most([5], in: 10) == 1)
        #expect(LimitAudit.most([0, 10, 20], in: 10) == 2)
        #expect(LimitAudit.most([0, 11, 22], in: 10) == 1)
        #expect(LimitAudit.most([40, 7, 9, 1, 12, 16, 17, 30], in: 10) == 5)
    }

    @Test("A bucket of ten that gets fifty a second lets sixty through in its fullest second")
    func bucket() {
        // A burst at a second's beginning, then one in 20 ms.
        let moments = [Int64](repeating: 0, count: 10) + (1...200 as ClosedRange<Int64>).map { $0 * 20_000 }
        #expect(LimitAudit.most(moments, in: 1_000_000) == 60)
    }

    @Test("A ratio is the median of the pairs', so that one disturbed pair does not count")
    func pairs() {
        var pairs = Pairs()
        #expect(pairs.ratio == 0)
        for (without, with) in [(100.0, 90.0), (200, 190), (10, 100)] { pairs.add(without: without, with: with) }
        #expect(pairs.ratio == 0.95)
        #expect(Pairs.median([4, 1, 3, 2]) == 2.5)
    }
}
