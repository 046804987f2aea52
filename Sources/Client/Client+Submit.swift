import StatexObjects
import StatexProtocol

extension Client {
    /// Messages of one call that are under way at once: enough to hide a commit.
    private static let messagesAtOnce = 16

    public func submitEach(_ requests: [Request]) async -> [Result<RequestHandle, ClientError>] {
        var answers = [Result<RequestHandle, ClientError>?](repeating: nil, count: requests.count)
        // What cannot be sent is answered here; the rest moves up.
        var ready: [Request] = []
        var places: [Int] = []
        ready.reserveCapacity(requests.count)
        for (place, request) in requests.enumerated() {
            do throws(ClientError) {
                try checkMayAct()
                ready.append(try await prepared(request))
                places.append(place)
            } catch { answers[place] = .failure(error) }
        }
        for (part, answer) in await submitPrepared(ready) {
            for index in part {
                answers[places[index]] = self.answer(to: ready[index], at: index - part.lowerBound, answer)
            }
        }
        return answers.map { $0 ?? .failure(.closed) }
    }

    /// Sends checked requests, a few messages at once, and returns the answer to each message.
    private func submitPrepared(_ requests: [Request]) async -> [(Range<Int>, Answer)] {
        await withTaskGroup(of: (Range<Int>, Answer).self) { group in
            var answers: [(Range<Int>, Answer)] = []
            var next = 0
            var underWay = 0
            while let packed = RequestPacker.pack(requests, from: next) {
                next = packed.requests.upperBound
                if underWay == Self.messagesAtOnce, let answer = await group.next() {
                    answers.append(answer)
                    underWay -= 1
                }
                underWay += 1
                group.addTask {
                    let command = Command.submit(
                        message: packed.message, requests: packed.requests.count, counter: nil,
                        deadline: self.patienceEnd)
                    return (packed.requests, await self.calls.ask(command))
                }
            }
            for await answer in group { answers.append(answer) }
            return answers
        }
    }

    /// The answer to one request of a message, `place` counted from the message's first.
    private func answer(to request: Request, at place: Int, _ answer: Answer) -> Result<RequestHandle, ClientError> {
        guard case .submitted(let receipt) = answer else { return .failure(answer.error) }
        let sequence = receipt.firstSequence + UInt64(place)
        if let run = receipt.accepted.first(where: { $0.sequences.contains(sequence) }) {
            let id = run.firstID.rawValue + (sequence - run.sequence) * UInt64(run.jobsEach)
            return .success(
                RequestHandle(
                    id: JobID(rawValue: id), jobCount: Int(run.jobsEach), isRepeated: run.repeated,
                    isDuplicate: run.duplicate, queue: self))
        }
        let run = receipt.refused.first { $0.sequences.contains(sequence) }
        return .failure(run.map(ClientError.init) ?? .closed)
    }

    /// The request, checked, its large payloads in the object store.
    private func prepared(_ request: Request) async throws(ClientError) -> Request {
        var request = request
        let limit = RequestPacker.inlineLimit(of: request)
        for index in request.jobs.indices {
            guard case .bytes(let bytes) = request.jobs[index].payload, bytes.count > limit else { continue }
            guard bytes.count <= settings.largestObject else {
                throw .invalid(
                    "a payload has \(bytes.count) bytes, the limit (largestObject) is \(settings.largestObject); raise it, or split the payload"
                )
            }
            try await learnObjects()
            // Without a store the check below refuses it, and says what to do.
            guard !objects.isEmpty else { continue }
            let reference = try await withObjects { store throws(ObjectError) in try store.put(bytes) }
            request.jobs[index].payload = .object(reference: reference.text)
        }
        try RequestPacker.check(request)
        return request
    }
}

extension ClientError {
    init(_ run: RefusedRun) {
        switch WireError.Code(rawValue: run.code) {
        case .keyConflict: self = .keyConflict(run.message)
        case .busy: self = .busy(run.message)
        default: self = .refused(code: run.code, run.message)
        }
    }
}
