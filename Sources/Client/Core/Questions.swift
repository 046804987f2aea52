import FoundationEssentials
import StatexProtocol

/// The ids that callers wait for or look at.
struct Questions {
    struct Key: Hashable {
        let id: UInt64
        let isRequest: Bool
        /// Until it is final; else how it stands now.
        let waits: Bool
        /// Of one that waits: wants to hear how far it is.
        var follows = false

        var record: AwaitRecord {
            AwaitRecord(JobID(rawValue: id), isRequest: isRequest, waits: waits, follows: follows)
        }

        /// The questions that an answer to `id` answers.
        static func all(_ id: UInt64, isRequest: Bool) -> [Key] {
            [(false, false), (true, false), (true, true)].map {
                Key(id: id, isRequest: isRequest, waits: $0.0, follows: $0.1)
            }
        }
    }

    private struct Question {
        var askers: [(ticket: Ticket, deadline: Int64)]
        /// By index in the request; for a job one place.
        var found: [JobStatus?] = []
        var missing = 1
    }

    private var questions: [Key: Question] = [:]
    /// Not sent yet in this session, in the order of asking.
    private(set) var toSend: [AwaitRecord] = []

    var isEmpty: Bool { questions.isEmpty }
    var count: Int { questions.count }

    mutating func ask(_ key: Key, ticket: Ticket, deadline: Int64) {
        if questions[key]?.askers.append((ticket, deadline)) != nil { return }
        questions[key] = Question(askers: [(ticket, deadline)])
        toSend.append(key.record)
    }

    mutating func takeToSend() -> [AwaitRecord] {
        defer { toSend = [] }
        return toSend
    }

    /// A new session knows nothing of what the last one was asked. Rising ids, so that a run is the same each time.
    mutating func sendAllAgain() {
        toSend = questions.keys.map(\.record).sorted {
            ($0.id, $0.waits ? 1 : 0, $0.follows ? 1 : 0) < ($1.id, $1.waits ? 1 : 0, $1.follows ? 1 : 0)
        }
    }

    /// Answers who asked for this job, or for a request that it makes whole.
    ///
    /// - Parameter known: the job's request, if it was asked for by itself: a job that is unknown does not name it.
    /// - Returns: whether somebody waits for its end, and this is not it though nobody looked how it stands: the
    ///   scheduler has no room to wait for it.
    mutating func found(
        _ record: ResultRecord, of known: JobID?, in bytes: borrowing RawSpan, into completions: inout [Completion]
    ) -> Bool {
        let id = record.id.rawValue
        guard let state = record.state else {
            let keys =
                Key.all(id, isRequest: false) + Key.all(id, isRequest: true)
                + (known.map { Key.all($0.rawValue, isRequest: true) } ?? [])
            for key in keys { finish(key, .failed(.unknown(record.id)), into: &completions) }
            return false
        }
        guard record.index < record.count, Int(record.count) <= Limits.jobsInRequest else { return false }
        let request = id - UInt64(record.index)
        if record.index > 0 {
            // Asked as a request, answered as the job that it is.
            let error = ClientError.invalid(
                "\(id) is job \(record.index + 1) of request \(request), not a request; ask for that one")
            for key in Key.all(id, isRequest: true) { finish(key, .failed(error), into: &completions) }
        }
        var status: JobStatus?
        var isAwaited = false
        for (job, whole) in zip(Key.all(id, isRequest: false), Key.all(request, isRequest: true)) {
            guard questions[job] != nil || misses(Int(record.index), whole) else { continue }
            guard !job.waits || state.isFinal else {
                isAwaited = true
                continue
            }
            let known = status ?? JobStatus(record, in: bytes, state: state)
            status = known
            finish(job, .statuses([known]), into: &completions)
            if place(known, of: Int(record.count), in: whole), let found = questions[whole]?.found {
                finish(whole, .statuses(found.compactMap { $0 }), into: &completions)
            }
        }
        return isAwaited && status == nil
    }

    /// Whether the request is asked for, and this job of it not found yet.
    private func misses(_ index: Int, _ key: Key) -> Bool {
        guard let found = questions[key]?.found else { return false }
        return index >= found.count || found[index] == nil
    }

    /// What to ask about a job by itself; nil: nobody waits for it, alone or with its request.
    func wait(for id: JobID, of request: JobID) -> AwaitRecord? {
        let index = Int(id.rawValue - request.rawValue)
        let follows = misses(index, Key(id: request.rawValue, isRequest: true, waits: true, follows: true))
        guard
            follows || misses(index, Key(id: request.rawValue, isRequest: true, waits: true))
                || questions[Key(id: id.rawValue, isRequest: false, waits: true)] != nil
        else { return nil }
        return AwaitRecord(id, isRequest: false, waits: true, follows: follows)
    }

    /// - Returns: whether all jobs of the request are there now.
    private mutating func place(_ status: JobStatus, of count: Int, in key: Key) -> Bool {
        guard var question = questions.removeValue(forKey: key) else { return false }
        if question.found.count != count {
            question.found = [JobStatus?](repeating: nil, count: count)
            question.missing = count
        }
        if question.found[status.index] == nil { question.missing -= 1 }
        question.found[status.index] = status
        let isWhole = question.missing == 0
        questions[key] = question
        return isWhole
    }

    private mutating func finish(_ key: Key, _ answer: Answer, into completions: inout [Completion]) {
        guard let question = questions.removeValue(forKey: key) else { return }
        for asker in question.askers { completions.append((asker.ticket, answer)) }
    }

    /// Who follows the request of this job.
    func followers(of record: ProgressRecord) -> [Ticket] {
        let request = record.id.rawValue - UInt64(record.index)
        let key = Key(id: request, isRequest: true, waits: true, follows: true)
        return questions[key]?.askers.map(\.ticket) ?? []
    }

    /// Takes back each asker that `body` says so of; a question that nobody asks any more is forgotten.
    mutating func drop(where isDropped: (_ ticket: Ticket, _ deadline: Int64) -> Bool) {
        for key in Array(questions.keys) {
            questions[key]?.askers.removeAll { isDropped($0.ticket, $0.deadline) }
            if questions[key]?.askers.isEmpty ?? false { questions[key] = nil }
        }
    }
}

extension JobStatus {
    /// A result that was read from a message, its bytes copied.
    init(_ record: ResultRecord, in bytes: borrowing RawSpan, state: JobState) {
        let kind = try? bytes.text(record.kindStart..<record.kindStart + Int(record.kindLength), "kind")
        let body = record.bodyStart..<record.bodyStart + Int(record.bodyLength)
        let result: Payload? =
            state != .succeeded
            ? nil
            : record.encoding == .object ? .object(reference: bytes.array(body)) : .bytes(bytes.array(body))
        self.init(
            id: record.id, request: JobID(rawValue: record.id.rawValue - UInt64(record.index)),
            index: Int(record.index), kind: kind ?? "", state: state, attempts: Int(record.attempts),
            losses: Int(record.losses),
            ended: record.ended > 0 ? Date(timeIntervalSince1970: Double(record.ended) / 1_000_000) : nil,
            result: result,
            error: state.isFinal && state != .succeeded ? try? ErrorText(reading: bytes.extracting(body)) : nil)
    }
}
