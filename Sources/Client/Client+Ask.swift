import StatexObjects
import StatexProtocol

extension Client {
    public func result(ofRequest id: JobID) async throws(ClientError) -> RequestStatus {
        RequestStatus(id: id, jobs: try await ask(id, isRequest: true, waits: true))
    }

    public func updates(ofRequest id: JobID) -> RequestUpdates {
        RequestUpdates { [calls] () async throws(ClientError) in
            let following = Following(id, calls)
            return { () async throws(ClientError) in try await following.next() }
        }
    }

    public func result(ofJob id: JobID) async throws(ClientError) -> JobStatus {
        try await one(ask(id, isRequest: false, waits: true), id)
    }

    public func status(ofRequest id: JobID) async throws(ClientError) -> RequestStatus {
        RequestStatus(id: id, jobs: try await ask(id, isRequest: true, waits: false))
    }

    public func status(ofJob id: JobID) async throws(ClientError) -> JobStatus {
        try await one(ask(id, isRequest: false, waits: false), id)
    }

    public func cancel(request id: JobID) async throws(ClientError) -> Int { try await cancel(id, isRequest: true) }

    public func cancel(job id: JobID) async throws(ClientError) -> Bool { try await cancel(id, isRequest: false) > 0 }

    public func schedulerStatus() async throws(ClientError) -> String {
        let answer = await calls.ask(.status(deadline: patienceEnd))
        guard case .schedulerStatus(let json) = answer else { throw answer.error }
        return json
    }

    /// Gives an operator's order, and returns what came of it once that is durable. The order is known by its
    /// number, one of this client's own: given again under it, it does nothing twice.
    package func order(_ order: Order) async throws(ClientError) -> OrderReply {
        try checkMayAct()
        do throws(WireError) { try order.check() } catch { throw .invalid(error.message) }
        try RequestPacker.check(name: order.who, "who")
        let answer = await calls.ask(.order(order, deadline: patienceEnd))
        guard case .ordered(let reply) = answer else { throw answer.error }
        guard reply.code == 0 else { throw .refused(code: reply.code, reply.message) }
        return reply
    }

    public func explain(job id: JobID) async throws(ClientError) -> Explanation {
        try Self.check(id)
        let answer = await calls.ask(.explain(id, deadline: patienceEnd))
        guard case .explained(let explanation) = answer else { throw answer.error }
        return explanation
    }

    public func bytes(of payload: Payload) async throws(ClientError) -> [UInt8] {
        guard case .object(let text) = payload else { return payload.inline }
        let limit = settings.largestObject
        return try await withObjects { store throws(ObjectError) in
            try store.read(ObjectReference(text: text), limit: limit)
        }
    }

    /// Stores a file that the user named in the object store, durably.
    /// - Returns: the payload that names it.
    public func store(file path: String) async throws(ClientError) -> Payload {
        let limit = UInt64(clamping: settings.largestObject)
        let reference = try await withObjects { store throws(ObjectError) in
            try store.put(copyingFile: path, limit: limit)
        }
        return .object(reference: reference.text)
    }

    /// Runs `body` with the object stores, asking the scheduler for them if none were given.
    func withObjects<T: Sendable>(
        _ body: @escaping @Sendable (any ObjectStore) throws(ObjectError) -> T
    ) async throws(ClientError) -> T {
        try await learnObjects()
        return try await objects.use(body)
    }

    func learnObjects() async throws(ClientError) {
        if !objects.isKnown { objects.learn(from: try await schedulerStatus()) }
    }

    private func ask(_ id: JobID, isRequest: Bool, waits: Bool) async throws(ClientError) -> [JobStatus] {
        try Self.check(id)
        let answer = await calls.ask(
            .ask(id, isRequest: isRequest, waits: waits, deadline: waits ? .max : patienceEnd))
        guard case .statuses(let jobs) = answer else { throw answer.error }
        return jobs
    }

    private func one(_ jobs: [JobStatus], _ id: JobID) throws(ClientError) -> JobStatus {
        guard let job = jobs.first else { throw .unknown(id) }
        return job
    }

    private func cancel(_ id: JobID, isRequest: Bool) async throws(ClientError) -> Int {
        try checkMayAct()
        try Self.check(id)
        let answer = await calls.ask(.cancel(id, isRequest: isRequest, deadline: patienceEnd))
        guard case .cancelled(let jobs) = answer else { throw answer.error }
        return jobs
    }

    private static func check(_ id: JobID) throws(ClientError) {
        guard id.rawValue > 0, id.rawValue < 1 << 63 else { throw .unknown(id) }
    }
}
