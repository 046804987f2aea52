/// No more lines about one thing than somebody reads: what breaks may do so a thousand times a second.
package struct LineBudget: Sendable {
    private static let linesInSecond = 10

    private var second: Int64 = 0
    private var said = 0
    private var left = 0

    package init() {}

    /// - Parameter now: seconds of any clock.
    /// - Returns: nil: this line is left out; else how many were left out since the last one that was not.
    package mutating func take(at now: Int64) -> Int? {
        if now != second {
            second = now
            said = 0
        }
        guard said < Self.linesInSecond else {
            left += 1
            return nil
        }
        said += 1
        defer { left = 0 }
        return left
    }
}
