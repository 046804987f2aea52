import HTTPTypes
import Hummingbird
import StatexProtocol
import StatexReads

/// `/v1/requests`: submit, list, look, cancel.
struct RequestRoutes: Sendable {
    let scheduler: SchedulerLink
    let reads: ReadPool
    let memory: StatusMemory
    let uploads: Uploads
    let targets: WebhookTargets
    let bodyLimit: Int
    let tracer: SubmitTracer

    var endpoints: [Endpoint] {
        [
            Endpoint(.post, "/v1/requests", for: .submit, answer: submit),
            Endpoint(.get, "/v1/requests", for: .read, answer: list),
            Endpoint(.get, "/v1/requests/{id}", for: .read, answer: show),
            Endpoint(.post, "/v1/requests/{id}/cancel", for: .submit, .operate, answer: cancel),
        ]
    }

    @Sendable private func submit(_ call: Call) async throws -> Response {
        let trace = tracer.begin(TraceContext(incoming: call.request))
        let receipt: Submission.Receipt
        do { receipt = try await take(call, trace.context) } catch {
            trace.failed(error)
            throw error
        }
        trace.ended(receipt)
        return Response(
            json: receipt.json, status: receipt.isNew ? .created : .ok,
            headers: [.location: "/v1/requests/\(receipt.id)"])
    }

    private func take(_ call: Call, _ trace: TraceContext?) async throws -> Submission.Receipt {
        let key = try Self.key(call.request)
        let body = try await body(of: call)
        var submission = try Submission(body, key: key, trace: trace, by: call.identity)
        if let url = body.webhook { try submission.add(tag: await targets.tag(url, of: submission.tenant)) }
        return try await submission.send(over: scheduler.client())
    }

    private func body(of call: Call) async throws -> SubmitBody {
        switch try Body.mediaType(call.request) {
        case Body.json:
            var body = try await Body.decode(SubmitBody.self, from: call, limit: bodyLimit)
            try body.attach([])
            return body
        case UploadedForm.mediaType:
            // Before much is taken in for nothing.
            _ = try scheduler.client()
            let form = try await uploads.read(call.request, of: call.body) {
                call.context.goOn(call.request)
            }
            return try SubmitBody(form)
        default: throw Problem.unsupportedMediaType([Body.json, UploadedForm.mediaType])
        }
    }

    private static func key(_ request: Request) throws(Problem) -> String? {
        let values = request.headers[values: .idempotencyKey]
        guard let key = values.first else { return nil }
        guard values.count == 1, (1...Limits.userKeyBytes).contains(key.utf8.count),
            key.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else {
            throw .field(
                "Idempotency-Key", "must be one text of 1 to \(Limits.userKeyBytes) printable ASCII characters")
        }
        return key
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        let query = try Query(
            call.request, ["state", "kind", "tenant", "since", "until", "limit", "cursor"], repeatable: ["state"])
        var filter = RequestFilter()
        filter.states = try query.states(of: RequestState.allCases, named: \.name)
        filter.kind = try query.text("kind")
        filter.tenant = try query.text("tenant")
        filter.since = try query.time("since")
        filter.until = try query.time("until")
        let walk = try query.walk()
        let viewer = call.identity.viewer
        let list = try await reads.answer { [filter] reader throws(ReadError) in
            try reader.requests(filter, walk, for: viewer)
        }
        return Response(body: list.json("requests", nulls: true))
    }

    @Sendable private func show(_ call: Call) async throws -> Response {
        let record = try await find(call)
        let jobs = await scheduler.explained(record.jobs, for: call.identity)
        var text = JSONText()
        text.object {
            record.write(to: &$0)
            $0.array("jobs", jobs.rows) { jobs.write($0, to: &$1, nulls: true) }
        }
        return Response(json: text)
    }

    @Sendable private func cancel(_ call: Call) async throws -> Response {
        let record = try await find(call)
        var filter = OrderFilter()
        filter.requests = [record.id]
        filter.tenant = record.tenant
        let matched = try await scheduler.order(.cancel, filter, by: call.identity).reached
        return Response(json: .matched(matched, of: record.id), status: .accepted)
    }

    private func find(_ call: Call) async throws(Problem) -> RequestRecord {
        let id = try call.id()
        let viewer = call.identity.viewer
        let record = try await memory.request(id, for: viewer, from: reads)
        guard let record else { throw .notFound("request") }
        return record
    }
}

extension HTTPField.Name {
    // Constants that are valid names: the initializer gives nil for others only.
    static let idempotencyKey = HTTPField.Name("Idempotency-Key")!
    static let traceparent = HTTPField.Name("traceparent")!
}

extension ReadPool {
    /// As `read`, with its errors as a client is told them.
    func answer<T: Sendable>(
        _ body: @escaping @Sendable (borrowing JournalReader) throws(ReadError) -> T
    ) async throws(Problem) -> T {
        do throws(ReadError) { return try await read(body) } catch { throw Problem(error) }
    }
}

extension JSONText {
    /// How many jobs an order reached.
    static func matched(_ count: Int, of id: JobID) -> JSONText {
        var text = JSONText()
        text.object {
            $0.member("id", id.description)
            $0.member("matched", count)
        }
        return text
    }
}
