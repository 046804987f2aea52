/// Of a list, those whose time is not over. What changes with the time is found out by asking again: `passed(to:)`.
package struct KeysInForce: Sendable {
    /// Whom the scheduler lets in.
    package private(set) var list: AllowList
    /// Those whose end was announced.
    private var announced: Set<AllowedKey> = []

    /// So long before its end a key is spoken of, in seconds: a week, in which somebody makes another.
    package static let notice: Int64 = 7 * 86_400

    package init(_ list: AllowList, at now: KeyEnd) {
        self.list = list.allowed(at: now)
    }

    /// Takes another list.
    /// - Returns: what is different by that; empty: nothing.
    package mutating func replace(with new: AllowList, at now: KeyEnd) -> String {
        let before = list
        list = new.allowed(at: now)
        return list.changes(since: before)
    }

    /// - Returns: whose time is over now.
    package mutating func passed(to now: KeyEnd) -> [AllowedKey] {
        guard let end = list.firstEnd, end <= now else { return [] }
        defer { list = list.allowed(at: now) }
        return list.all.filter { $0.end.map { $0 <= now } ?? false }
    }

    /// - Returns: whose end is near; each once, and again if it was given another.
    package mutating func ending(at now: KeyEnd) -> [AllowedKey] {
        let soon = list.all.filter { entry in
            entry.end.map { $0.earlier(bySeconds: Self.notice) <= now } ?? false
        }
        defer { announced = Set(soon) }
        return soon.filter { !announced.contains($0) }
    }
}
