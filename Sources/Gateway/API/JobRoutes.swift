import Hummingbird
import StatexClient
import StatexProtocol
import StatexReads

/// `/v1/jobs`: list, look, result, cancel, retry.
struct JobRoutes: Sendable {
    let scheduler: SchedulerLink
    let reads: ReadPool
    let memory: StatusMemory
    let objects: ObjectReader
    let downloads: StreamSeats

    var endpoints: [Endpoint] {
        [
            Endpoint(.get, "/v1/jobs", for: .read, answer: list),
            Endpoint(.get, "/v1/jobs/{id}", for: .read, answer: show),
            Endpoint(.get, "/v1/jobs/{id}/result", for: .read, answer: result),
            Endpoint(.get, "/v1/jobs/{id}/payload", for: .read, answer: payload),
            Endpoint(.post, "/v1/jobs/{id}/cancel", for: .submit, .operate, answer: cancel),
            Endpoint(.post, "/v1/jobs/{id}/retry", for: .submit, .operate, answer: retry),
        ]
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        let query = try Query(
            call.request, ["state", "kind", "tenant", "tag", "since", "until", "limit", "cursor"],
            repeatable: ["state", "tag"])
        var filter = JobFilter()
        filter.states = try query.states(of: JobState.allCases, named: \.name)
        filter.kind = try query.text("kind")
        filter.tenant = try query.text("tenant")
        filter.tags = try query.texts("tag", count: JobOptions.tags)
        filter.since = try query.time("since")
        filter.until = try query.time("until")
        let walk = try query.walk()
        let viewer = call.identity.viewer
        let list = try await reads.answer { [filter] reader throws(ReadError) in
            try reader.jobs(filter, walk, form: .full, for: viewer)
        }
        return Response(body: await scheduler.explained(JobRows(list), for: call.identity).json("jobs", nulls: true))
    }

    @Sendable private func show(_ call: Call) async throws -> Response {
        let list = await scheduler.explained(try await find(call).1, for: call.identity)
        var text = JSONText()
        text.object { text in
            for row in list.rows { list.write(row, to: &text, nulls: true) }
        }
        return Response(json: text)
    }

    @Sendable private func result(_ call: Call) async throws -> Response {
        let id = try call.id()
        let viewer = call.identity.viewer
        let found = try await reads.answer { reader throws(ReadError) in try reader.result(of: id, for: viewer) }
        return try await content(found, called: "result-\(id)", for: call)
    }

    @Sendable private func payload(_ call: Call) async throws -> Response {
        let id = try call.id()
        let viewer = call.identity.viewer
        let found = try await reads.answer { reader throws(ReadError) in try reader.payload(of: id, for: viewer) }
        return try await content(found, called: "input-\(id)", for: call)
    }

    private func content(_ found: ContentAnswer, called name: String, for call: Call) async throws -> Response {
        switch found {
        case .noJob: throw Problem.notFound("job")
        case .none(let state): throw Problem.noResult(state)
        case .found(let content):
            let (seat, settle) = (try seat(of: call.identity.subject), call.context.settle)
            return try await objects.response(content, called: name, to: call.request) {
                try await settle()
                // As long as there are pieces to send, somebody sits there.
                withExtendedLifetime(seat) {}
            }
        }
    }

    private func seat(of subject: String) throws(Problem) -> StreamSeats.Seat {
        do throws(Problem) { return try downloads.take(subject) } catch {
            let limit = GatewayLimits.downloadsOfSubject
            throw .tooMany("\(subject) is being sent \(limit) contents, which is the limit", seconds: 5)
        }
    }

    @Sendable private func cancel(_ call: Call) async throws -> Response {
        let (id, rows) = try await find(call)
        var filter = OrderFilter()
        filter.jobs = [id]
        filter.tenant = rows.tenant
        let matched = try await scheduler.order(.cancel, filter, by: call.identity).reached
        return Response(json: .matched(matched, of: id), status: .accepted)
    }

    /// Another try for a dead letter.
    @Sendable private func retry(_ call: Call) async throws -> Response {
        let (id, rows) = try await find(call)
        guard let state = rows.states.first, [.failed, .dead].contains(state) else {
            throw Problem.conflict("not_dead", "only a job that failed or is dead is retried")
        }
        if let retried = rows.retriedAs { throw Problem.conflict("retried", "it was retried as \(retried)") }
        var filter = OrderFilter()
        filter.jobs = [id]
        let (matched, message) = try await scheduler.order(.retry, filter, by: call.identity)
        // Between the look and the order somebody else may have done it.
        let retried = try await find(call).1.retriedAs
        guard matched > 0 || retried != nil else {
            let unsaid = "it was dropped, or what it waits for has not succeeded"
            throw Problem.conflict("not_retried", message.isEmpty ? unsaid : message)
        }
        var text = JSONText()
        text.object {
            $0.member("id", id.description)
            $0.member("matched", matched)
            $0.member("retried_as", orNull: retried)
        }
        return Response(json: text, status: .accepted)
    }

    private func find(_ call: Call) async throws(Problem) -> (JobID, JobRows) {
        let id = try call.id()
        let viewer = call.identity.viewer
        let rows = try await memory.job(id, for: viewer, from: reads)
        guard let rows else { throw .notFound("job") }
        return (id, rows)
    }
}
