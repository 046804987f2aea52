import StatexProtocol
import Synchronization

/// What lies between the thread that hears updates of a request and the task that reads them. Bounded: of each
/// job the latest progress stays, output is joined, and what has no room is left out and counted.
final class UpdateBox: Sendable {
    /// What a job said that was not read.
    fileprivate struct Job {
        /// The lease that spoke last, and how much of its output was heard or is known to be missing.
        var token: UInt64 = 0
        var offset: UInt64 = 0
        var progress: JobProgress?
        var attempt = 0
        var index = 0
        /// UTF-8: pieces are cut between characters.
        var output: [UInt8] = []
        /// Missing before `output`, and behind it.
        var leftOut = 0
        var leftOutBehind = 0
        var begins = true
    }

    fileprivate struct State {
        var jobs: [JobID: Job] = [:]
        /// Jobs that said something, in the order of their first word.
        var unread: [JobID] = []
        var outputBytes = 0
        var end: Result<RequestStatus, ClientError>?
        var isOver = false
        var reader: CheckedContinuation<Void, Never>?

        var hasNews: Bool { !unread.isEmpty || end != nil || isOver }
    }

    private let state = Mutex(State())

    /// Output that waits for its reader, at most: minutes of it.
    private static let outputBytes = 1 << 20

    // What the thread says.

    func heard(_ record: ProgressRecord, text: String, piece: [UInt8]) {
        wake { state in
            var job = state.jobs[record.id] ?? Job()
            if job.token != record.token {
                // Another run: what the one before said no longer counts.
                state.outputBytes -= job.output.count
                job = Job(token: record.token)
            }
            job.hear(record, text: text, piece: piece, room: Self.outputBytes - state.outputBytes) { taken in
                state.outputBytes += taken
            }
            if job.isUnread, !state.unread.contains(record.id) { state.unread.append(record.id) }
            state.jobs[record.id] = job
        }
    }

    /// The request is at its end, or the following is.
    func ended(_ answer: Answer, of id: JobID) {
        wake { state in
            guard state.end == nil, !state.isOver else { return }
            if case .statuses(let jobs) = answer {
                state.end = .success(RequestStatus(id: id, jobs: jobs))
            } else {
                state.end = .failure(answer.error)
            }
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let reader = state.withLock { state -> CheckedContinuation<Void, Never>? in
            change(&state)
            guard state.hasNews else { return nil }
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    // What the reader asks.

    /// The next update; waits for it. nil: there was the last one.
    func next() async throws(ClientError) -> RequestUpdate? {
        while true {
            if let update = state.withLock({ $0.takeUpdate() }) { return update }
            if let end = state.withLock({ $0.takeEnd() }) { return .finished(try end.get()) }
            if state.withLock({ $0.isOver }) { return nil }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if !state.hasNews { state.reader = continuation }
                    return state.hasNews
                }
                if isReady { continuation.resume() }
            }
        }
    }
}

extension UpdateBox.Job {
    fileprivate var isUnread: Bool { progress != nil || !output.isEmpty || leftOut > 0 }

    fileprivate mutating func hear(
        _ record: ProgressRecord, text: String, piece: [UInt8], room: Int, _ taken: (Int) -> Void
    ) {
        // What was heard is not heard again.
        guard record.offset >= offset else { return }
        attempt = Int(record.attempt)
        index = Int(record.index)
        if let fraction = record.fraction {
            progress = JobProgress(
                job: record.id, index: index, attempt: attempt, fraction: ProgressRecord.value(ofFraction: fraction),
                text: text)
        }
        let missing = Int(record.offset - offset)
        offset = record.offset + UInt64(piece.count)
        if output.isEmpty {
            leftOut += missing
        } else {
            leftOutBehind += missing
        }
        // What is read has no hole: a piece behind a gap waits for what is before it to be read, or is left out too.
        if leftOutBehind == 0, piece.count <= room {
            output.append(contentsOf: piece)
            taken(piece.count)
        } else {
            leftOutBehind += piece.count
        }
    }
}

extension UpdateBox.State {
    fileprivate mutating func takeUpdate() -> RequestUpdate? {
        guard let id = unread.first, var job = jobs[id] else { return nil }
        defer {
            jobs[id] = job
            if !job.isUnread { unread.removeFirst() }
        }
        // What a run puts out first: it tells that the run began.
        if let progress = job.progress, job.output.isEmpty, job.leftOut == 0 {
            job.progress = nil
            return .progress(progress)
        }
        let update = JobOutput(
            job: id, index: job.index, attempt: job.attempt, begins: job.begins,
            text: String(decoding: job.output, as: UTF8.self), leftOut: job.leftOut)
        outputBytes -= job.output.count
        job.output = []
        job.leftOut = job.leftOutBehind
        job.leftOutBehind = 0
        job.begins = false
        return .output(update)
    }

    fileprivate mutating func takeEnd() -> Result<RequestStatus, ClientError>? {
        guard let end else { return nil }
        self.end = nil
        isOver = true
        return end
    }
}

/// One reader's following of a request; letting go of it ends it.
final class Following: Sendable {
    private let box = UpdateBox()
    private let calls: CallBox
    private let ticket: Ticket

    init(_ id: JobID, _ calls: CallBox) {
        self.calls = calls
        guard id.rawValue > 0, id.rawValue < 1 << 63 else {
            box.ended(.failed(.unknown(id)), of: id)
            ticket = 0
            return
        }
        ticket = calls.post(.follow(id, box))
        if ticket == 0 { box.ended(.failed(.closed), of: id) }
    }

    deinit { if ticket != 0 { calls.post(.abandon(ticket)) } }

    func next() async throws(ClientError) -> RequestUpdate? {
        let (box, calls, ticket) = (box, calls, ticket)
        return try await withCancellation {
            box.ended(.failed(.cancelled), of: JobID(rawValue: 1))
            calls.post(.abandon(ticket))
        } of: { () async throws(ClientError) in
            try await box.next()
        }
    }

    /// `withTaskCancellationHandler` with a typed error.
    private func withCancellation(
        _ cancel: @escaping @Sendable () -> Void, of body: () async throws(ClientError) -> RequestUpdate?
    ) async throws(ClientError) -> RequestUpdate? {
        let result = await withTaskCancellationHandler { () async -> Result<RequestUpdate?, ClientError> in
            do throws(ClientError) { return .success(try await body()) } catch { return .failure(error) }
        } onCancel: {
            cancel()
        }
        return try result.get()
    }
}
