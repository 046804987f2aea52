import StatexProtocol

@testable import StatexClient

/// A client core without sockets: the test plays the scheduler, and time.
struct CoreScript {
    var core: ClientCore
    var now: Int64 = 1_000
    /// What the core sent since the last look.
    var sent: [[UInt8]] = []
    var answers: [Ticket: Answer] = [:]
    var stamp = SessionStamp(session: 1, incarnation: 100, epoch: 5)
    /// The socket takes nothing.
    var isFull = false

    init(_ change: (inout ClientCore.Settings) -> Void = { _ in }) {
        var settings = ClientCore.Settings()
        change(&settings)
        core = ClientCore(settings)
    }

    /// A core that is in a session.
    static func connected(_ change: (inout ClientCore.Settings) -> Void = { _ in }) -> CoreScript {
        var script = CoreScript(change)
        script.advance(by: 0)
        script.welcome()
        return script
    }

    mutating func advance(by milliseconds: Int64) {
        now += milliseconds
        core.ticked(at: now)
        run()
    }

    /// Sends what may go and takes the answers, as the shell does after each event.
    mutating func run() {
        var out: [[UInt8]] = []
        let full = isFull
        _ = core.send(at: now) { bytes in
            guard !full else { return false }
            out.append(bytes.array(0..<bytes.byteCount))
            return true
        }
        sent += out
        for (ticket, answer) in core.takeCompletions() { answers[ticket] = answer }
    }

    mutating func perform(_ event: (inout ClientCore) -> Void) {
        event(&core)
        run()
    }

    mutating func receive(_ write: (inout ByteBuffer, SessionStamp) -> Void) {
        var buffer = ByteBuffer()
        write(&buffer, stamp)
        core.received(buffer.bytes, at: now)
        run()
    }

    mutating func welcome(lastSequence: UInt64 = 0) {
        receive { buffer, stamp in
            Welcome(stamp: stamp, heartbeatMilliseconds: 1_000, leaseMilliseconds: 10_000, lastSequence: lastSequence)
                .write(to: &buffer)
        }
    }

    mutating func fault(_ code: WireError.Code, retryAfter: UInt32 = 0) {
        receive { buffer, stamp in
            Fault(WireError(code, "because"), retryAfterMilliseconds: retryAfter).write(to: &buffer, stamp: stamp)
        }
    }

    mutating func accept(
        _ sequence: UInt64, id: UInt64, requests: UInt32 = 1, jobsEach: UInt16 = 1, repeated: Bool = false
    ) {
        receive { buffer, stamp in
            Header(.accepted, recordLength: AcceptedRun.size, stamp: stamp, count: 1).write(to: &buffer)
            AcceptedRun(
                sequence: sequence, firstID: JobID(rawValue: id), requests: requests, jobsEach: jobsEach,
                repeated: repeated
            ).write(to: &buffer)
        }
    }

    mutating func refuse(_ sequence: UInt64, requests: UInt32 = 1, _ code: WireError.Code, retryAfter: UInt32 = 0) {
        receive { buffer, stamp in
            Header(.refused, recordLength: RefusedRun.size, stamp: stamp, count: 1).write(to: &buffer)
            RefusedRun(
                sequence: sequence, requests: requests, error: WireError(code, "because"),
                retryAfterMilliseconds: retryAfter
            ).write(to: &buffer)
        }
    }

    mutating func result(_ id: UInt64, index: UInt16 = 0, count: UInt16 = 1, _ state: JobState?, body: String = "") {
        receive { buffer, stamp in
            Header(.results, recordLength: ResultRecord.size, stamp: stamp, count: 1).write(to: &buffer)
            var record = ResultRecord(id: JobID(rawValue: id), index: index, count: count, state: state)
            record.attempts = 1
            record.kindLength = 4
            record.bodyLength = UInt32(body.utf8.count)
            record.write(to: &buffer)
            buffer.append("text")
            buffer.append(body)
        }
    }

    func receipt(_ ticket: Ticket) -> Receipt? {
        guard case .submitted(let receipt) = answers[ticket] else { return nil }
        return receipt
    }

    func statuses(_ ticket: Ticket) -> [JobStatus]? {
        guard case .statuses(let jobs) = answers[ticket] else { return nil }
        return jobs
    }

    func finals(_ ticket: Ticket) -> FinalCounts? {
        guard case .finals(let counts) = answers[ticket] else { return nil }
        return counts
    }

    /// What was sent since the last look, by type.
    mutating func takeSent() -> [MessageType] {
        defer { sent = [] }
        return sent.compactMap { try? Header(reading: $0.span.bytes).type }
    }

    /// The submits that were sent since the last look.
    mutating func takeSubmits() -> [[UInt8]] {
        defer { sent = [] }
        return sent.filter { $0[3] == MessageType.submit.rawValue }
    }

    mutating func takeAwaits() -> [AwaitRecord] {
        defer { sent = [] }
        return sent.filter { $0[3] == MessageType.await.rawValue }.flatMap { message -> [AwaitRecord] in
            guard let header = try? Header(reading: message.span.bytes),
                var cursor = try? header.recordCursor(atLeast: AwaitRecord.size)
            else { return [] }
            return (0..<header.count).compactMap { _ in
                try? AwaitRecord(reading: &cursor, header: header, in: message.span.bytes)
            }
        }
    }

    /// A message of single-job requests.
    static func submission(_ ticket: Ticket, requests: Int = 1, counter: Ticket? = nil, deadline: Int64 = .max)
        -> Submission
    {
        var writer = SubmitWriter()
        let none: [UInt8] = []
        for _ in 0..<requests {
            let job = SubmitJob(kind: writer.number(of: "text"), tenant: writer.number(of: "default"))
            writer.append(job, options: none.span.bytes, payload: Array("hello".utf8).span.bytes)
        }
        return Submission(
            ticket: ticket, message: writer.finish(notify: counter != nil), requests: requests, counter: counter,
            deadline: deadline)
    }

    static func firstSequence(_ message: [UInt8]) -> UInt64 { message.span.bytes.integer(UInt64.self, at: 32) }

    /// What must be the same when it is sent again: all but the stamp.
    static func withoutStamp(_ message: [UInt8]) -> [UInt8] {
        var message = message
        SubmitMessage.setStamp(SessionStamp(), in: &message)
        return message
    }
}
