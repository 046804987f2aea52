import StatexMetrics
import Testing

@Suite struct HistogramTests {
    @Test func `a duration is counted in the first bucket whose bound it does not exceed`() {
        for (index, bound) in Histogram.bounds.enumerated() {
            var at = Histogram()
            at.add(bound)
            #expect(at.cumulative.firstIndex(of: 1) == index)
            var above = Histogram()
            above.add(bound + 1)
            #expect(above.cumulative.firstIndex(of: 1) == index + 1)
        }
    }

    @Test func `what is beyond the last bound counts in the sum and in the last bucket alone`() {
        var histogram = Histogram()
        histogram.add(.max)
        #expect(histogram.cumulative.dropLast().allSatisfy { $0 == 0 })
        #expect(histogram.cumulative.last == 1)
        #expect(histogram.seconds > 9e9)
    }

    @Test func `a clock that stepped back by a little counts as nothing`() {
        var histogram = Histogram()
        histogram.add(-5)
        #expect(histogram.cumulative.first == 1)
        #expect(histogram.seconds == 0)
    }

    @Test func `two add up to what one would have counted`() {
        let durations: [Int64] = [0, 120_000, 120_000, 7_000_000_000, 50_000_000_000_000]
        var (one, other, all) = (Histogram(), Histogram(), Histogram())
        for (index, duration) in durations.enumerated() {
            if index % 2 == 0 { one.add(duration) } else { other.add(duration) }
            all.add(duration)
        }
        one.add(other)
        #expect(one == all)
        var none = Histogram()
        none.add(Histogram())
        #expect(none == Histogram())
        none.add(all)
        #expect(none == all)
    }

    @Test func `the buckets are cumulative and end with the count`() {
        var histogram = Histogram()
        for exponent in 0..<50 { histogram.add(1 << exponent) }
        #expect(histogram.cumulative == histogram.cumulative.sorted())
        #expect(histogram.cumulative.last == histogram.count)
        #expect(histogram.cumulative.count == Histogram.bounds.count + 1)
    }
}
