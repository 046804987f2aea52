// The client's state machine: what was submitted and not answered, who waits for what, and the session.
//
// PURE: no clock, no socket, no thread. The shell (`ClientLoop`) tells it what happened, opens and
// closes sockets as `wantsSocket` says, sends what `send` hands it, and resumes who is in
// `takeCompletions`. Times are milliseconds of a clock that never steps back.

import StatexProtocol

/// Names one call of a user until it is answered.
package typealias Ticket = UInt64

/// What a call of a user ends with.
package enum Answer: Sendable, Equatable {
    case connected
    case submitted(Receipt)
    case statuses([JobStatus])
    /// How many open jobs the order reached.
    case cancelled(Int)
    case ordered(OrderReply)
    case schedulerStatus(String)
    case explained(Explanation)
    case finals(FinalCounts)
    case failed(ClientError)
}

/// What was answered to one submission: each of its sequences is in one of the runs.
package struct Receipt: Sendable, Equatable {
    package let firstSequence: UInt64
    package var accepted: [AcceptedRun] = []
    package var refused: [RefusedRun] = []
}

/// How far a job is, for those who follow its request.
package struct News: Sendable, Equatable {
    package let tickets: [Ticket]
    package let record: ProgressRecord
    package let text: String
    /// UTF-8.
    package let piece: [UInt8]
}

package typealias Completion = (ticket: Ticket, answer: Answer)

package struct ClientCore {
    package struct Settings: Sendable {
        package var name = "client"
        package var producer = Producer(high: 1, low: 1)
        package var incarnation: UInt64 = 1
        package var seed: UInt64 = 1
        package var windowBytes = 16 << 20
        package var windowRequests = 32_768

        package init() {}
    }

    enum Link: Equatable {
        /// No socket; the next one is opened at that time. May become `greeting`.
        case down(until: Int64)
        /// A socket is open and HELLO is on its way; WELCOME is due. May become `up` or `down`.
        case greeting(until: Int64)
        /// In a session. May become `down`.
        case up(SessionStamp, heartbeat: Int64, silence: Int64)
        /// For good.
        case closed
    }

    /// A peer that says nothing for three heartbeats, and at least so long, is given up: ZeroMQ itself
    /// needs as long to see a dead link, and a scheduler's longest commit must not look like a death.
    static let leastSilence: Int64 = 3_000
    /// Longer than any honest heartbeat; bounds what a WELCOME may ask for.
    static let mostHeartbeat: Int64 = 60_000
    /// Journal incarnations that were left and are never gone back to. Each is an operator's restore.
    static let mostLeft = 1_024
    /// How often expired callers are looked for.
    static let patienceStep: Int64 = 100

    let settings: Settings
    var link: Link = .down(until: 0)
    var window: SubmitWindow
    var questions = Questions()
    var postponed = PostponedJobs()
    var orders = Orders()
    var counters: [Ticket: Counting] = [:]
    var connecting: [(ticket: Ticket, deadline: Int64)] = []

    /// Messages that are ready, before any submit.
    var control = Fifo<[UInt8]>()
    var completions: [Completion] = []
    var news: [News] = []

    var current = SessionStamp()
    var left: [UInt64] = []
    var lastHeard: Int64 = 0
    var lastSent: Int64 = 0
    /// No submit is sent before: the scheduler is busy.
    var pausedUntil: Int64 = 0
    var probe = Probe.none
    /// Questions and orders are asked again then: the scheduler had no room for them.
    var repeatAt: Int64?
    var nextPatience: Int64 = 0
    var hasDeadlines = false
    var reconnect: Backoff
    var busy: Backoff
    /// Why there is no session, for who gives up waiting.
    var trouble = "no scheduler answers there"
    /// Messages that made no sense or belonged to an older session.
    package internal(set) var dropped = 0

    /// After a submit was refused as busy one message at a time tries, and the others follow when it is taken:
    /// so a client may ask often, and is back soon after the scheduler is, without sending its window in vain.
    enum Probe {
        /// Every message may go. Becomes `due` with a refusal.
        case none
        /// The next message goes alone, after the pause. Becomes `underWay`.
        case due
        /// It is not answered yet. Becomes `none` or `due`, as it is.
        case underWay
    }

    struct Counting {
        var counter = FinalCounter()
        /// All that it will count was submitted; who asked is told when all are final.
        var asker: Ticket?
    }

    package init(_ settings: Settings) {
        self.settings = settings
        window = SubmitWindow(maximumBytes: settings.windowBytes, maximumRequests: settings.windowRequests)
        reconnect = Backoff(least: 100, most: 2_000, seed: settings.seed)
        busy = Backoff(least: 10, most: Self.mostBusy, seed: settings.seed &+ 1)
    }

    /// So many milliseconds, and up to a half more, a client is back after its scheduler. A thousand clients that
    /// wait cost it a message a millisecond.
    private static var mostBusy: Int64 { 1_000 }

    // MARK: What the user wants

    package mutating func connectionAsked(_ ticket: Ticket, deadline: Int64) {
        if case .up = link { return complete(ticket, .connected) }
        connecting.append((ticket, deadline))
        hasDeadlines = hasDeadlines || deadline < .max
    }

    package mutating func submitted(_ submission: Submission) {
        hasDeadlines = hasDeadlines || submission.deadline < .max
        window.add(submission)
    }

    /// - Parameter waits: until it is final; else how it stands now.
    package mutating func asked(
        _ ticket: Ticket, _ id: JobID, isRequest: Bool, waits: Bool, deadline: Int64 = .max
    ) {
        hasDeadlines = hasDeadlines || deadline < .max
        ask(.init(id: id.rawValue, isRequest: isRequest, waits: waits), ticket, deadline: deadline)
    }

    /// Waits for a request's results, and hears until then how far it is.
    package mutating func followed(_ ticket: Ticket, _ id: JobID) {
        ask(.init(id: id.rawValue, isRequest: true, waits: true, follows: true), ticket, deadline: .max)
    }

    /// Half of what a session may ask: the rest is for what bulk submits count, and for what is asked again.
    static var mostQuestions: Int { Limits.awaits / 2 }

    private mutating func ask(_ key: Questions.Key, _ ticket: Ticket, deadline: Int64) {
        guard questions.count < Self.mostQuestions else {
            let why =
                "\(questions.count) answers are awaited already, that is the limit of a client: await fewer at once"
            return complete(ticket, .failed(.busy(why)))
        }
        questions.ask(key, ticket: ticket, deadline: deadline)
    }

    package mutating func cancelOrdered(_ ticket: Ticket, _ id: JobID, isRequest: Bool, deadline: Int64 = .max) {
        hasDeadlines = hasDeadlines || deadline < .max
        orders.cancel(id, isRequest: isRequest, ticket: ticket, deadline: deadline)
    }

    package mutating func ordered(_ ticket: Ticket, _ order: Order, deadline: Int64 = .max) {
        hasDeadlines = hasDeadlines || deadline < .max
        orders.order(order, ticket: ticket, deadline: deadline)
    }

    package mutating func statusAsked(_ ticket: Ticket, deadline: Int64 = .max) {
        hasDeadlines = hasDeadlines || deadline < .max
        orders.status(ticket: ticket, deadline: deadline)
    }

    package mutating func explanationAsked(_ ticket: Ticket, _ id: JobID, deadline: Int64 = .max) {
        hasDeadlines = hasDeadlines || deadline < .max
        orders.explain(id, ticket: ticket, deadline: deadline)
    }

    /// Submissions that name `counter` are counted from now on.
    package mutating func countingBegan(_ counter: Ticket) { counters[counter] = Counting() }

    /// Everything that `counter` counts was submitted: `ticket` is answered when all is final.
    package mutating func countAsked(_ ticket: Ticket, of counter: Ticket) {
        guard counters[counter] != nil else { return complete(ticket, .finals(FinalCounts())) }
        counters[counter]?.asker = ticket
        finishCounting(counter)
    }

    /// In place: walking `keys` would hold a second reference, and each change would copy everything.
    mutating func forEachCounter(_ body: (inout FinalCounter) -> Void) {
        var index = counters.startIndex
        while index < counters.endIndex {
            body(&counters.values[index].counter)
            counters.formIndex(after: &index)
        }
    }

    package mutating func countingEnded(_ counter: Ticket) { counters[counter] = nil }

    /// Nobody waits for these any more.
    package mutating func abandoned(_ tickets: Set<Ticket>) {
        drop(.cancelled) { ticket, _ in tickets.contains(ticket) }
    }

    package mutating func closeOrdered() {
        if case .up(let stamp, _, _) = link { sendBare(.goodbye, stamp) }
        drop(.closed) { _, _ in true }
        counters = [:]
        link = .closed
    }

    // MARK: What the shell does

    package var isClosed: Bool { link == .closed }
    /// A scheduler answered, and its session lives.
    package var isUp: Bool { if case .up = link { true } else { false } }

    /// Whether a socket is to be open now.
    package var wantsSocket: Bool {
        switch link {
        case .down, .closed: false
        case .greeting, .up: true
        }
    }

    package mutating func takeCompletions() -> [Completion] {
        defer { completions.removeAll(keepingCapacity: true) }
        return completions
    }

    package mutating func takeNews() -> [News] {
        defer { news.removeAll(keepingCapacity: true) }
        return news
    }

    mutating func complete(_ ticket: Ticket, _ answer: Answer) { completions.append((ticket, answer)) }

    // MARK: Time

    package mutating func ticked(at now: Int64) {
        switch link {
        case .down(let until) where now >= until: greet(at: now)
        case .greeting(let until) where now >= until:
            lose("no scheduler answers there", at: now, wait: reconnect.next())
        case .up(let stamp, let heartbeat, let silence):
            if now - lastHeard >= silence {
                lose("the scheduler fell silent", at: now, wait: 0)
            } else if now - lastSent >= heartbeat {
                var buffer = ByteBuffer(capacity: 64)
                Heartbeat().write(to: &buffer, stamp: stamp)
                control.append(buffer.array())
                lastSent = now
            }
        case .down, .greeting, .closed: break
        }
        if let time = repeatAt, now >= time {
            repeatAt = nil
            askAllAgain()
        }
        if hasDeadlines && now >= nextPatience {
            nextPatience = now + Self.patienceStep
            endPatience(at: now)
        }
    }

    /// When `ticked` and `send` are due, if nothing happens before and the socket took all.
    package var nextDeadline: Int64 {
        var next: Int64
        switch link {
        case .down(let until), .greeting(let until): next = until
        case .up(_, let heartbeat, let silence): next = min(lastSent + heartbeat, lastHeard + silence)
        case .closed: return 0
        }
        if hasDeadlines { next = min(next, nextPatience) }
        if let repeatAt { next = min(next, repeatAt) }
        if let due = postponed.due { next = min(next, due) }
        if window.hasUnsent, case .up = link, probe != .underWay { next = min(next, pausedUntil) }
        return next
    }

    private mutating func endPatience(at now: Int64) {
        var isLeft = false
        drop(nil) { _, deadline in
            if deadline < .max && deadline > now { isLeft = true }
            return deadline <= now
        }
        hasDeadlines = isLeft
    }

    /// Ends each call that `isDropped` names with `error`, or with what kept it waiting.
    mutating func drop(_ error: ClientError?, where isDropped: (Ticket, Int64) -> Bool) {
        var ended: [(Ticket, ClientError)] = []
        let away = ClientError.unreachable("gave up waiting: \(trouble)")
        window.drop { submission in
            guard isDropped(submission.ticket, submission.deadline) else { return false }
            ended.append((submission.ticket, error ?? submission.unanswered(trouble)))
            return true
        }
        func take(_ ticket: Ticket, _ deadline: Int64) -> Bool {
            guard isDropped(ticket, deadline) else { return false }
            ended.append((ticket, error ?? away))
            return true
        }
        questions.drop { take($0, $1) }
        orders.drop { take($0, $1) }
        connecting.removeAll { take($0.ticket, $0.deadline) }
        for key in counters.keys {
            if let asker = counters[key]?.asker, take(asker, .max) { counters[key]?.asker = nil }
        }
        for (ticket, error) in ended { complete(ticket, .failed(error)) }
    }
}
