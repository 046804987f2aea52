import Synchronization

/// How many requests a subject makes in a second: a bucket of a second's worth, that fills as time goes.
///
/// What is kept of a subject is when its bucket is full again; once it is, there is nothing to keep. Subjects are those
/// of tokens that were verified, so strangers cannot fill the table.
final class RateLimits: Sendable {
    private struct Table {
        var fullAt: [String: Duration] = [:]
        var sweptAt: Duration?
    }

    private let perSecond: Int
    private let subjects: Int
    private let table = Mutex(Table())
    private let began = ContinuousClock.now

    /// What all share for whom there is no room.
    private static let others = ""
    private static let burst = Duration.seconds(1)

    /// - Parameter subjects: whose buckets are kept.
    init(perSecond: Int, subjects: Int = GatewayLimits.subjects) {
        self.perSecond = perSecond
        self.subjects = subjects
    }

    func take(_ subject: String) throws(Problem) { try take(subject, at: ContinuousClock.now - began) }

    /// - Parameter now: since any moment in the past.
    func take(_ subject: String, at now: Duration) throws(Problem) {
        let wait: Duration = table.withLock { table in
            if table.fullAt[subject] == nil { Self.sweep(&table, subjects, at: now) }
            let isKept = table.fullAt[subject] != nil || table.fullAt.count < subjects
            let name = isKept ? subject : Self.others
            let full = max(table.fullAt[name] ?? now, now) + Self.burst / perSecond
            guard full <= now + Self.burst else { return full - now - Self.burst }
            table.fullAt[name] = full
            return .zero
        }
        guard wait > .zero else { return }
        throw .tooFast(
            "\(subject) asks more than \(perSecond) times a second", seconds: Int(wait.components.seconds) + 1)
    }

    /// Forgets who has a full bucket, when there is no room; a second apart, as it looks at everybody.
    private static func sweep(_ table: inout Table, _ subjects: Int, at now: Duration) {
        guard table.fullAt.count >= subjects, table.sweptAt.map({ now >= $0 + burst }) ?? true else { return }
        table.sweptAt = now
        table.fullAt = table.fullAt.filter { $0.value > now }
    }

    var kept: Int { table.withLock { $0.fullAt.count } }
}
