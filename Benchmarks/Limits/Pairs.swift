/// Two ways that are measured in turn, as a small shared machine demands: in pairs, each way first in every
/// other one. A ratio is the median of the pairs'.
package struct Pairs: Sendable {
    package private(set) var without: [Double] = []
    package private(set) var with: [Double] = []

    package init() {}

    package mutating func add(without: Double, with: Double) {
        self.without.append(without)
        self.with.append(with)
    }

    /// Measures so many pairs.
    /// - Parameter measure: told whether it is the measurement with what is judged.
    mutating func run(_ count: Int, _ measure: (_ isWith: Bool) async throws -> Double) async throws {
        for number in 0..<count {
            let isWithFirst = number % 2 == 1
            let first = try await measure(isWithFirst)
            let second = try await measure(!isWithFirst)
            add(without: isWithFirst ? second : first, with: isWithFirst ? first : second)
        }
    }

    /// With over without.
    package var ratio: Double { Self.median(zip(with, without).map { $0 / max($1, .leastNormalMagnitude) }) }

    package static func median(_ values: [Double]) -> Double {
        guard !values.isEmpty else { return 0 }
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
}
