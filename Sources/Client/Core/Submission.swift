import StatexProtocol

/// One SUBMIT: the message, and what was answered of its requests so far.
package struct Submission: Sendable {
    package let ticket: Ticket
    package var message: [UInt8]
    package let requests: Int
    /// Counts the finals of its jobs; the message asks for notification.
    package let counter: Ticket?
    /// Milliseconds; `Int64.max`: none.
    package let deadline: Int64

    /// Given once, when it enters the window: sent again, it is the same.
    package internal(set) var firstSequence: UInt64 = 0
    var isQueued = false
    /// It is with a scheduler that has not answered it. And: one that it was with before never did.
    private var isOut = false
    private var isInDoubt = false
    var accepted: [AcceptedRun] = []
    var refused: [RefusedRun] = []
    private var answered: [UInt64]
    private(set) var unanswered: Int
    /// Why it was put off last.
    private var busy: String?

    package init(ticket: Ticket, message: [UInt8], requests: Int, counter: Ticket? = nil, deadline: Int64 = .max) {
        self.ticket = ticket
        self.message = message
        self.requests = requests
        self.counter = counter
        self.deadline = deadline
        answered = [UInt64](repeating: 0, count: (requests + 63) / 64)
        unanswered = requests
    }

    var sequences: Range<UInt64> { firstSequence..<firstSequence + UInt64(requests) }
    var isDone: Bool { unanswered == 0 }

    /// Marks `range` (of sequences, inside this one's) as answered, and calls `body` for each part of it that
    /// was not: an answer may come twice.
    mutating func answer(_ range: Range<UInt64>, _ body: (inout Submission, Range<UInt64>) -> Void) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, !isAnswered(end) {
                let place = Int(end - firstSequence)
                answered[place / 64] |= 1 << UInt64(place % 64)
                end += 1
            }
            if end > start {
                unanswered -= Int(end - start)
                body(&self, start..<end)
            }
            start = end + 1
        }
    }

    private func isAnswered(_ sequence: UInt64) -> Bool {
        let place = Int(sequence - firstSequence)
        return answered[place / 64] & (1 << UInt64(place % 64)) != 0
    }

    mutating func sent() {
        isQueued = false
        isOut = true
    }

    /// The scheduler recorded nothing of what it was just sent.
    mutating func putOff(_ why: String) {
        isQueued = true
        isOut = false
        busy = why
    }

    /// In a new session.
    mutating func sendAgain() {
        isQueued = true
        isInDoubt = isInDoubt || isOut
        isOut = false
    }

    /// For who waited for as long as it would.
    func unanswered(_ trouble: String) -> ClientError {
        if isOut || isInDoubt { return .unreachable("gave up waiting: \(trouble)") }
        return busy.map { .busy($0) } ?? .unsent("gave up waiting: \(trouble)")
    }

    /// Nobody waits for it any more, or it failed: its place is kept until those before it are done.
    mutating func drop() {
        unanswered = 0
        message = []
    }
}
