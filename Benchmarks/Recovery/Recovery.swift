/// What a fault did to a throughput, and when it was normal again.
///
/// Normal is 95% of the throughput before, on the mean of three seconds of which none counts for more than
/// the throughput before: so neither one slow second of a busy machine decides, nor can what had piled up
/// make good for a standstill. It is normal again at the first moment from which on it stays so for ten seconds.
package struct Recovery: Sendable, Equatable {
    package static let normalShare = 0.95
    private static let second: Int64 = 1_000_000
    private static let step: Int64 = 100_000
    private static let seconds: Int64 = 3
    /// So long it stays normal, or it was not yet.
    private static let lasting: Int64 = 10
    /// It has so long to become normal; what is measured later is the throughput after.
    package static let patience: Int64 = 10

    /// Jobs a second.
    package var before = 0.0
    package var during = 0.0
    package var after = 0.0
    /// From the end of the fault; nil: it was not normal at the end of the measurement.
    package var seconds: Double?

    package init() {}

    /// - Parameters:
    ///   - start: of the measurement, in microseconds since 1970, as all times here.
    ///   - fault: from its beginning to its end.
    package init(_ ends: EndSeries, from start: Int64, fault: Range<Int64>, until end: Int64) {
        before = ends.rate(start..<max(start, fault.lowerBound))
        during = ends.rate(fault)
        let settled = fault.upperBound + Self.patience * Self.second
        after = ends.rate(settled..<max(settled, end))
        seconds = Self.firstNormal(ends, like: before, from: fault.upperBound, until: end)
            .map { Double($0 - fault.upperBound) / Double(Self.second) }
    }

    package var ratio: Double { before > 0 ? after / before : 0 }

    private static func firstNormal(_ ends: EndSeries, like before: Double, from start: Int64, until end: Int64)
        -> Int64?
    {
        var since: Int64?
        for moment in stride(from: start, through: end - seconds * second, by: Int(step)) {
            guard isNormal(ends, like: before, at: moment) else {
                since = nil
                continue
            }
            let first = since ?? moment
            if moment + seconds * second - first >= lasting * second { return first }
            since = first
        }
        return nil
    }

    private static func isNormal(_ ends: EndSeries, like before: Double, at moment: Int64) -> Bool {
        var sum = 0.0
        for number in 0..<seconds {
            let start = moment + number * second
            sum += min(before, ends.rate(start..<start + second))
        }
        return before > 0 && sum >= normalShare * before * Double(seconds)
    }
}
