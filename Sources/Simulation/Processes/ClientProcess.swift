import StatexProtocol
import StatexSchedulerCore

/// A simple client: submits what its plan says, sends again until it is answered, waits for every job,
/// cancels some. It keeps its requests and its producer on disk, so that it goes on after a crash.
final class ClientProcess {
    struct Request {
        enum Answer: Equatable {
            case none
            case accepted(first: UInt64)
            case refused(code: UInt16)
            /// Another request stands in its way, by a unique key.
            case duplicate
            /// Accepted by a journal that was restored to an earlier point since.
            case vanished
        }
        var plan: RequestPlan
        var sequence: UInt64
        var answer = Answer.none
        /// When it may be sent; nothing: it was sent in this session.
        var sendAt: Int64? = 0
        var sentAt: Int64 = 0
        var finals: [JobState?]
        var isAsked = false
        var isCancelSent = false
        var isCancelled = false
        /// Who has it sent again although it was answered.
        var repeatedBy: Int?
        /// Who has it cancelled in the middle of things.
        var cancelledBy: Int?

        var isOpen: Bool {
            switch answer {
            case .none: true
            case .accepted: finals.contains(nil)
            case .refused, .duplicate, .vanished: false
            }
        }
    }

    enum Link {
        case closed(until: Int64)
        case greeting(until: Int64)
        case up(SessionStamp)
    }

    let place: Int
    let producer: Producer
    unowned let world: World
    var requests: [Request] = []
    private var plans: [RequestPlan]
    private var incarnation: UInt64
    private(set) var link = Link.closed(until: 0)
    /// The newest scheduler that it believed, and the journals that it left.
    private(set) var newest = SessionStamp()
    private var left: Set<UInt64> = []
    private(set) var isPaused = false
    private var socket = -1
    private var inbox: [[UInt8]] = []
    var heardAt: Int64 = 0
    private var heartbeatAt: Int64 = 0
    private var turns = Turns()
    private var buffer = ByteBuffer(capacity: 1_024)

    private var silence: Int64 { max(3_000_000_000, 3 * world.options.coreSettings.heartbeatNanoseconds) }

    init(_ world: World, place: Int, plans: [RequestPlan]) {
        self.world = world
        self.place = place
        self.plans = plans
        producer = Producer(high: 1, low: UInt64(place) + 1)
        incarnation = world.random.next() | 1
    }

    /// Everything that was planned has its answer and every job its end.
    var isDone: Bool { plans.isEmpty && !requests.contains { $0.isOpen } }

    /// By sequence, with the ids of their jobs.
    var openRequests: [String] {
        requests.filter(\.isOpen).map { request in
            guard case .accepted(let first) = request.answer else { return "\(request.sequence): no answer" }
            return
                "\(request.sequence): \(request.finals.indices.filter { request.finals[$0] == nil }.map { first + UInt64($0) })"
        }
    }

    // MARK: The loop

    func arrived(_ bytes: [UInt8], over connection: Int) {
        guard socket >= 0, world.network.reaches(connection, socket: socket) else { return }
        inbox.append(bytes)
        planTurn(at: world.now + world.random.within(0...200_000))
    }

    func planTurn(at time: Int64) {
        guard !isPaused else { return }
        let time = max(time, world.now)
        if turns.want(at: time) { world.plan(.clientTurn(client: place), at: time) }
    }

    func woke() {
        guard !isPaused else { return }
        let (turns, wakesAt) = turns.woke(at: world.now)
        if let wakesAt { world.plan(.clientTurn(client: place), at: wakesAt) }
        if turns { turn() }
    }

    private func turn() {
        let messages = inbox
        inbox.removeAll()
        for message in messages { received(message) }
        while let plan = plans.first, plan.at <= world.now {
            plans.removeFirst()
            let finals = [JobState?](repeating: nil, count: plan.jobs.count)
            requests.append(Request(plan: plan, sequence: UInt64(requests.count) + 1, finals: finals))
        }
        keepLink()
        if case .up(let stamp) = link { say(stamp) }
        planTurn(at: deadline)
    }

    var hasMail: Bool { !inbox.isEmpty }

    func pause() { isPaused = true }

    func resume() {
        isPaused = false
        turns = Turns()
        planTurn(at: world.now)
    }

    /// A new process, with what the old one had on disk.
    func restart() {
        incarnation = world.random.next() | 1
        closeSocket(for: world.dice.within(1_000_000...500_000_000))
        planTurn(at: world.now)
    }

    private var deadline: Int64 {
        var soonest = plans.first?.at ?? .max
        switch link {
        case .closed(let until), .greeting(let until): soonest = min(soonest, until)
        case .up:
            soonest = min(soonest, heardAt + silence, heartbeatAt)
            for request in requests {
                if request.waitsToBeSent, let at = request.sendAt { soonest = min(soonest, at) }
                if request.wantsCancel, !request.isCancelSent { soonest = min(soonest, request.plan.cancelAt) }
            }
        }
        return max(soonest, world.now + 1)
    }

    // MARK: The session

    private func keepLink() {
        switch link {
        case .closed(let until) where until <= world.now:
            socket = world.network.open(.client(place))
            greet()
        case .greeting(let until) where until <= world.now: closeSocket(for: 100_000_000)
        case .up where heardAt + silence <= world.now: closeSocket(for: 100_000_000)
        case .closed, .greeting, .up: break
        }
    }

    private func greet() {
        link = .greeting(until: world.now + silence)
        buffer.removeAll()
        var hello = Hello(role: .client, incarnation: incarnation, name: "c\(place)")
        hello.journal = newest.incarnation
        hello.producer = producer
        hello.write(to: &buffer)
        send()
    }

    private func closeSocket(for time: Int64) {
        if socket >= 0 { world.network.close(socket) }
        socket = -1
        inbox.removeAll()
        link = .closed(until: world.now + time)
    }

    func welcomed(_ welcome: Welcome) {
        guard case .greeting = link else { return }
        guard isBelieved(welcome.stamp) else { return closeSocket(for: 100_000_000) }
        if newest.incarnation != 0, newest.incarnation != welcome.stamp.incarnation { left.insert(newest.incarnation) }
        newest = welcome.stamp
        link = .up(welcome.stamp)
        heardAt = world.now
        heartbeatAt = world.now
        for index in requests.indices {
            if requests[index].waitsToBeSent, requests[index].sendAt == nil { requests[index].sendAt = world.now }
            requests[index].isAsked = false
            requests[index].isCancelSent = false
        }
    }

    private func isBelieved(_ stamp: SessionStamp) -> Bool {
        stamp.incarnation == newest.incarnation
            ? stamp.epoch >= newest.epoch : !left.contains(stamp.incarnation)
    }

    func faulted(_ fault: Fault) {
        switch WireError.Code(rawValue: fault.code) {
        case .session: if case .up = link { greet() }
        case .superseded: closeSocket(for: 100_000_000)
        case .busy:
            // What was sent and not answered is sent again in the next session.
            closeSocket(for: Int64(fault.retryAfterMilliseconds) * 1_000_000)
        default: world.violation("client \(place) heard the fault \(fault.code): \(fault.message)")
        }
    }

    // MARK: What a fault does

    /// A request that was answered is sent once more, as by a program that lost the answer.
    func sendAgain(as cause: Int) -> Bool {
        let answered = requests.indices.filter {
            if case .accepted = requests[$0].answer { true } else { false }
        }
        guard let index = world.dice.one(of: answered) else { return false }
        requests[index].repeatedBy = cause
        requests[index].sendAt = world.now
        planTurn(at: world.now)
        return true
    }

    /// Cancels the request of a job now.
    func cancel(job id: UInt64, as cause: Int) -> Bool {
        for index in requests.indices where requests[index].isOpen && requests[index].plan.cancelAt == 0 {
            guard case .accepted(let first) = requests[index].answer, id >= first,
                id < first + UInt64(requests[index].finals.count)
            else { continue }
            requests[index].plan.cancelAt = max(world.now, 1)
            requests[index].cancelledBy = cause
            planTurn(at: world.now)
            return true
        }
        return false
    }

    // MARK: Messages out

    private func say(_ stamp: SessionStamp) {
        submitDue(stamp)
        for index in requests.indices {
            guard case .accepted(let first) = requests[index].answer else { continue }
            if requests[index].isOpen, !requests[index].isAsked {
                requests[index].isAsked = true
                buffer.removeAll()
                Header(.await, recordLength: AwaitRecord.size, stamp: stamp, count: 1).write(to: &buffer)
                AwaitRecord(
                    JobID(rawValue: first), isRequest: true, waits: true, follows: requests[index].plan.follows
                ).write(to: &buffer)
                send()
            }
            if requests[index].wantsCancel, !requests[index].isCancelSent, requests[index].plan.cancelAt <= world.now {
                requests[index].isCancelSent = true
                buffer.removeAll()
                Header(.cancel, recordLength: CancelRecord.size, stamp: stamp, count: 1).write(to: &buffer)
                CancelRecord(JobID(rawValue: first), isRequest: true).write(to: &buffer)
                send()
            }
        }
        if heartbeatAt <= world.now {
            heartbeatAt = world.now + 1_000_000_000
            buffer.removeAll()
            Heartbeat().write(to: &buffer, stamp: stamp)
            send()
        }
    }

    /// Sends what is due; requests whose sequences follow each other go into one message.
    private func submitDue(_ stamp: SessionStamp) {
        var index = 0
        while index < requests.count {
            guard requests[index].isToBeSent(at: world.now) else {
                index += 1
                continue
            }
            let first = requests[index].sequence
            var writer = SubmitWriter(capacity: 512)
            while index < requests.count, requests[index].isToBeSent(at: world.now), writer.jobs < 24 {
                requests[index].plan.write(to: &writer, at: world.wall)
                requests[index].sendAt = nil
                requests[index].sentAt = world.now
                index += 1
            }
            var message = writer.finish(notify: world.random.happens(oneIn: 2))
            SubmitMessage.setStamp(stamp, in: &message)
            SubmitMessage.setFirstSequence(first, in: &message)
            world.network.send(message, from: socket)
        }
    }

    private func send() { world.network.send(buffer.array(), from: socket) }
}

extension ClientProcess.Request {
    var waitsToBeSent: Bool { answer == .none || repeatedBy != nil }

    fileprivate func isToBeSent(at now: Int64) -> Bool { waitsToBeSent && sendAt.map { $0 <= now } ?? false }

    fileprivate var wantsCancel: Bool { plan.cancelAt > 0 && !isCancelled && isOpen && answer != .none }
}
