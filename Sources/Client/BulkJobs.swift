import StatexProtocol

/// Many requests of one job each, alike but for their payloads: for big producers and benchmarks. No
/// object is made for a job, and no handle is kept: only runs of ids.
public struct BulkJobs: Sendable {
    public var count: Int
    public var kind: String
    public var tenant = "default"
    public var priority = Limits.defaultPriority
    /// nil: as the operator set for the kind.
    public var attempts: Int?
    /// Counts the jobs as they become final, see `BulkReceipt.finals()`.
    public var countsFinals = false
    /// How the jobs are cut: messages of so many jobs, so many of them unanswered at a time.
    public var jobsInMessage = 500
    public var messagesAtOnce = 16

    enum Content: Sendable {
        case same([UInt8])
        case each(@Sendable (_ job: Int, _ into: inout ByteBuffer) -> Void)
    }
    let content: Content

    /// All jobs have the same payload.
    public init(count: Int, kind: String, payload: [UInt8]) {
        self.count = count
        self.kind = kind
        content = .same(payload)
    }

    /// `payload` writes the payload of job 0, 1, … into an empty buffer.
    public init(count: Int, kind: String, payload: @escaping @Sendable (Int, inout ByteBuffer) -> Void) {
        self.count = count
        self.kind = kind
        content = .each(payload)
    }

    private var usualBytes: Int {
        if case .same(let payload) = content { payload.count } else { 256 }
    }

    func check() throws(ClientError) {
        try RequestPacker.check(kind: kind)
        try RequestPacker.check(name: tenant, "tenant")
        guard count >= 0 else { throw .invalid("count is \(count), it must not be negative") }
        guard (0..<Limits.priorities).contains(priority) else {
            throw .invalid("priority is \(priority), it takes 0 (first) to \(Limits.priorities - 1)")
        }
        try RequestPacker.check(attempts: attempts)
        guard (1...Limits.recordsInMessage).contains(jobsInMessage) else {
            throw .invalid("jobsInMessage is \(jobsInMessage), it takes 1 to \(Limits.recordsInMessage)")
        }
        guard (1...1_024).contains(messagesAtOnce) else {
            throw .invalid("messagesAtOnce is \(messagesAtOnce), it takes 1 to 1024")
        }
    }

    /// The message of up to `jobsInMessage` jobs from `start` on, and how many they are.
    func message(from start: Int) throws(ClientError) -> (bytes: [UInt8], jobs: Int) {
        var writer = SubmitWriter(capacity: min(jobsInMessage * (SubmitJob.size + usualBytes), Limits.messageBytes))
        let fields = SubmitJob(
            kind: writer.number(of: kind), tenant: writer.number(of: tenant), priority: UInt8(priority),
            attempts: UInt8(attempts ?? 0))
        let none = ByteBuffer(capacity: 0)
        var buffer = ByteBuffer(capacity: 1_024)
        if case .same(let payload) = content { buffer.append(payload) }
        let end = min(start + jobsInMessage, count)
        for job in start..<end {
            if case .each(let write) = content {
                buffer.removeAll()
                write(job, &buffer)
            }
            guard buffer.count <= Limits.inlineBytes else {
                throw .invalid(
                    "the payload of job \(job) has \(buffer.count) bytes, the limit of a bulk submit is \(Limits.inlineBytes); use submit with an object folder"
                )
            }
            if writer.byteCount + SubmitJob.size + buffer.count > Limits.messageBytes { break }
            writer.append(fields, options: none.bytes, payload: buffer.bytes)
        }
        let jobs = writer.jobs
        return (writer.finish(notify: countsFinals), jobs)
    }
}

/// What a bulk submit was answered: all jobs are durable.
public struct BulkReceipt: Sendable {
    /// Runs of ids, in the order of submission.
    public let accepted: [AcceptedRun]
    private let counter: Counter?

    init(accepted: [AcceptedRun], counter: Counter?) {
        self.accepted = accepted
        self.counter = counter
    }

    /// Returns once all jobs are final: how many ended in which state.
    /// Needs `BulkJobs.countsFinals`, and may be asked once.
    public func finals() async throws(ClientError) -> FinalCounts {
        guard let counter else { throw .invalid("finals are counted only if countsFinals is set") }
        let answer = await counter.calls.ask(.awaitFinals(of: counter.ticket))
        guard case .finals(let counts) = answer else { throw answer.error }
        return counts
    }

    /// Keeps the count alive in the client until nobody can ask for it.
    final class Counter: Sendable {
        let calls: CallBox
        let ticket: Ticket

        init(_ calls: CallBox) {
            self.calls = calls
            ticket = calls.post(.beginCounting)
        }

        deinit { calls.post(.endCounting(ticket)) }
    }
}

extension Client {
    /// Submits many single jobs, a bounded number of messages at a time, and returns when all are durable.
    /// - Throws: the first refusal; jobs submitted before it stay submitted.
    public func submit(bulk jobs: BulkJobs) async throws(ClientError) -> BulkReceipt {
        try checkMayAct()
        try jobs.check()
        let counter = jobs.countsFinals ? BulkReceipt.Counter(calls) : nil
        let result = await withTaskGroup(of: Answer.self) { group -> Result<[AcceptedRun], ClientError> in
            var accepted: [AcceptedRun] = []
            var next = 0
            var underWay = 0
            do throws(ClientError) {
                while next < jobs.count || underWay > 0 {
                    if next < jobs.count, underWay < jobs.messagesAtOnce {
                        let message = try jobs.message(from: next)
                        next += message.jobs
                        underWay += 1
                        group.addTask { [calls, deadline = self.patienceEnd] in
                            await calls.ask(
                                .submit(
                                    message: message.bytes, requests: message.jobs, counter: counter?.ticket,
                                    deadline: deadline))
                        }
                    } else if let answer = await group.next() {
                        underWay -= 1
                        guard case .submitted(let receipt) = answer else { throw answer.error }
                        if let refused = receipt.refused.first { throw ClientError(refused) }
                        accepted += receipt.accepted
                    }
                }
                return .success(accepted)
            } catch {
                group.cancelAll()
                return .failure(error)
            }
        }
        let runs = try result.get().sorted { $0.sequence < $1.sequence }
        return BulkReceipt(accepted: runs, counter: counter)
    }
}
