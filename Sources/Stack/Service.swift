import Glibc

/// One process that is kept running.
final class Service {
    enum Role {
        case postgres, scheduler, worker, gateway
    }

    enum State {
        /// To be started at that time. Becomes `starting`.
        case waiting(until: ContinuousClock.Instant)
        /// Started, and not serving yet. Becomes `serving`, or `waiting` when it dies or takes too long.
        case starting(since: ContinuousClock.Instant)
        /// Becomes `waiting` when it dies, or `ended`.
        case serving(since: ContinuousClock.Instant)
        /// Not to be started again.
        case ended(ProcessEnd)
    }

    struct Plan {
        var name: String
        var role: Role
        var command: Command
        /// Asks it to end in order; and how long it may take.
        var stopSignal = SIGTERM
        var stopLimit: Duration
        /// After the stop limit.
        var lastSignal = SIGKILL
        /// Exit codes that say: do not start me again.
        var finalCodes: Set<Int32> = []
        /// Whether it serves, for a process that does not announce it.
        var serves: (pid_t) -> Bool = { _ in false }
        /// Where it says why it ended, if that is not the log of the stack.
        var logs: String?
        /// Whether it may be started yet.
        var mayStart: () -> Bool = { true }
    }

    /// What a look at a service found out.
    enum Event {
        case started, serves
        case died(ProcessEnd, again: Duration?)
    }

    /// Longest from its start to serving: recovery of a database after a crash may take a while.
    static let startLimit = Duration.seconds(120)
    /// Between looks at what cannot be waited on: Postgres' lock file, processes that are not ours.
    static let lookInterval = Duration.milliseconds(10)

    let plan: Plan
    private(set) var state: State = .waiting(until: .now)
    private(set) var restarts = RestartPolicy()
    private var child: ChildProcess?
    /// Whether the channel on which it announces itself is still of interest.
    private var mayAnnounce = false
    /// What it said of itself when it announced itself.
    private(set) var announcement: [String] = []

    init(_ plan: Plan) { self.plan = plan }

    var pid: pid_t? {
        switch child {
        case .some(let child): child.pid
        case .none: nil
        }
    }

    var isServing: Bool { if case .serving = state { true } else { false } }
    var hasEnded: Bool { if case .ended = state { true } else { false } }

    /// Starts it if it is due, notices that it serves or died.
    func look(at now: ContinuousClock.Instant) throws(StackError) -> Event? {
        switch state {
        case .ended: return nil
        case .waiting(let time):
            guard time <= now else { return nil }
            guard plan.mayStart() else {
                state = .waiting(until: now + Self.lookInterval)
                return nil
            }
            child = try ChildProcess.start(plan.command)
            mayAnnounce = plan.command.announces
            announcement = []
            state = .starting(since: now)
            return .started
        case .starting(let since):
            if let event = died(since: since, now) { return event }
            if announced() || pid.map(plan.serves) == true {
                state = .serving(since: since)
                return .serves
            }
            if now - since > Self.startLimit { signal(SIGKILL) }
            return nil
        case .serving(let since):
            return died(since: since, now)
        }
    }

    private func died(since: ContinuousClock.Instant, _ now: ContinuousClock.Instant) -> Event? {
        guard let status = reap() else { return nil }
        if case .exited(let code) = status, plan.finalCodes.contains(code) {
            state = .ended(status)
            return .died(status, again: nil)
        }
        let delay = restarts.delay(afterRunningFor: now - since)
        state = .waiting(until: now + delay)
        return .died(status, again: delay)
    }

    private func announced() -> Bool {
        guard mayAnnounce else { return false }
        switch child {
        case .some(let child):
            switch child.readReadiness() {
            case .nothing: return false
            case .never: mayAnnounce = false
            case .ready(let words):
                mayAnnounce = false
                announcement = words
                return true
            }
            return false
        case .none: return false
        }
    }

    /// How it ended, if it has; it is then forgotten.
    func reap() -> ProcessEnd? {
        let status: ProcessEnd? =
            switch child {
            case .some(let child): child.reap()
            case .none: nil
            }
        if status != nil { child = nil }
        return status
    }

    func signal(_ number: Int32) {
        switch child {
        case .some(let child): child.signal(number)
        case .none: break
        }
    }

    /// What becomes readable when there is something to look at.
    func addDescriptors(to list: inout [Int32], watchingReadiness: Bool = true) {
        switch child {
        case .some(let child): child.addDescriptors(to: &list, readiness: mayAnnounce && watchingReadiness)
        case .none: break
        }
    }

    /// When there is something to look at without anything becoming readable.
    var deadline: ContinuousClock.Instant? {
        switch state {
        case .waiting(let time): time
        case .starting(let since): plan.command.announces ? since + Self.startLimit : .now + Self.lookInterval
        case .serving, .ended: nil
        }
    }
}

/// What came over the channel on which a child announces itself.
private enum ReadinessNews {
    case nothing
    case ready([String])
    /// It was closed, or something else was said: nothing will come any more.
    case never
}

extension ChildProcess {
    /// What a process says of itself when it serves; nil: it did not in this time, or ended.
    package borrowing func waitUntilReady(atMost limit: Duration) -> [String]? {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            switch readReadiness() {
            case .ready(let words): return words
            case .never: return nil
            case .nothing: waitReadable([readiness.rawOrNil ?? handle.raw], until: deadline)
            }
        }
        return nil
    }

    fileprivate borrowing func readReadiness() -> ReadinessNews {
        guard let descriptor = readiness.rawOrNil else { return .never }
        var bytes = [UInt8](repeating: 0, count: 4_096)
        let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count < 0 { return .nothing }
        let line = String(decoding: bytes[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let words = line.split(separator: " ").map(String.init)
        return words.first == "ready" ? .ready(Array(words.dropFirst())) : .never
    }

    fileprivate borrowing func addDescriptors(to list: inout [Int32], readiness wanted: Bool) {
        list.append(handle.raw)
        if wanted, let descriptor = readiness.rawOrNil { list.append(descriptor) }
    }
}
