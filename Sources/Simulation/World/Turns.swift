/// When a loop turns next, and which events will wake it. An event that is on its way already serves for
/// a later time too, so that the queue does not fill with wakes that nobody needs.
struct Turns {
    private var next = Int64.max
    private var onTheWay: [Int64] = []

    /// - Returns: whether an event must be planned at that time.
    mutating func want(at time: Int64) -> Bool {
        next = min(next, time)
        guard time != .max, !onTheWay.contains(where: { $0 <= time }) else { return false }
        onTheWay.append(time)
        return true
    }

    /// An event came.
    /// - Returns: whether the loop turns now; if not, when it must be woken instead.
    mutating func woke(at now: Int64) -> (turns: Bool, wakesAt: Int64?) {
        if let index = onTheWay.firstIndex(of: now) { onTheWay.remove(at: index) }
        if next <= now {
            next = .max
            return (true, nil)
        }
        let wanted = next
        return (false, want(at: wanted) ? wanted : nil)
    }
}
