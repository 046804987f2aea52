/// How long to wait before a process that died is started again: not at all the first time, then twice
/// as long each time, until it has run for a while.
struct RestartPolicy {
    /// A process that ran this long did not die of its start.
    static let forgetAfter = Duration.seconds(10)
    static let firstDelay = Duration.milliseconds(100)
    static let longestDelay = Duration.seconds(10)

    /// Deaths without a long run between them.
    private(set) var deaths = 0

    mutating func delay(afterRunningFor time: Duration) -> Duration {
        if time >= Self.forgetAfter { deaths = 0 }
        deaths += 1
        if deaths == 1 { return .zero }
        // Past the seventh doubling the longest is reached; the shift stays small.
        return min(Self.firstDelay * (1 << min(deaths - 2, 7)), Self.longestDelay)
    }
}
