import HTTPTypes
import Hummingbird
import StatexClient
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexReads

/// `/v1/requests/ID/events`, `/v1/jobs/ID/events`, `/v1/events`: what happens, as it happens.
struct StreamRoutes: Sendable {
    let hub: EventHub
    let seats: StreamSeats
    let scheduler: SchedulerLink
    let reads: ReadPool
    let memory: StatusMemory

    var endpoints: [Endpoint] {
        [
            Endpoint(stream: "/v1/requests/{id}/events", answer: request),
            Endpoint(stream: "/v1/jobs/{id}/events", answer: job),
            Endpoint(stream: "/v1/events", answer: everything),
        ]
    }

    // MARK: One request, one job

    @Sendable private func request(_ call: Call) async throws -> Response {
        let id = try call.id()
        _ = try Query(call.request, [], withTicket: true)
        let opened = try await open(call, .request(id))
        let viewer = call.identity.viewer
        let record = try await memory.request(id, for: viewer, from: reads)
        guard let record else { throw Problem.notFound("request") }
        let jobs = record.jobs.list.rows.count
        var state = JSONText()
        state.object {
            record.write(to: &$0)
            $0.member("jobs", jobs)
        }
        let isOver = record.state != .open
        return try await stream(
            opened, isOver: isOver, state: ("request.state", state), follow: (id, nil, isAlone: true)
        ) { replay, history throws(PostgresError) in
            try replay.events(
                ofRequest: id, jobs: jobs, isOver: isOver, commits: GatewayLimits.replayCommits, in: &history)
        }
    }

    @Sendable private func job(_ call: Call) async throws -> Response {
        let id = try call.id()
        _ = try Query(call.request, [], withTicket: true)
        let viewer = call.identity.viewer
        // Its request, by which events find it, does not change.
        let known = try await memory.job(id, for: viewer, from: reads)
        guard let request = known?.request else { throw Problem.notFound("job") }
        let opened = try await open(call, .job(id, of: request))
        let found = try await memory.job(id, for: viewer, from: reads)
        guard let found, let state = found.states.first else {
            throw Problem.notFound("job")
        }
        var text = JSONText()
        let list = await scheduler.explained(found, for: call.identity)
        text.object { text in
            for row in list.rows { list.write(row, to: &text, nulls: true) }
        }
        return try await stream(
            opened, isOver: state.isFinal, state: ("job.state", text),
            follow: (found.followed ?? id, id, isAlone: found.isAlone)
        ) { replay, history throws(PostgresError) in
            try replay.events(
                ofJob: id, isOver: state.isFinal, commits: GatewayLimits.replayCommits, in: &history)
        }
    }

    /// - Parameters:
    ///   - state: how it stands, for a client that had nothing before.
    ///   - follow: the request whose progress is told, of which job if not of all, and whether that job is its only
    ///     one.
    ///   - missed: reads what a client missed that comes again.
    private func stream(
        _ opened: OpenedStream, isOver: Bool, state: (name: String, json: JSONText),
        follow: (request: JobID, job: JobID?, isAlone: Bool),
        missed read: @escaping EventHub.Read<EventReplay.Part>
    ) async throws -> Response {
        let listener = opened.membership.listener
        var first = ServerSentEvent.opening
        var isOver = isOver
        if let had = opened.had {
            let start = opened.membership.start
            let part = try await hub.replay(after: had, to: start, of: opened.subject, read)
            // A browser does not come again after this.
            if isOver, part.news.isEmpty { return Response(status: .noContent) }
            for news in part.news {
                if case .event(let event) = news, listener.interest.ends(with: event) { isOver = true }
                first += ServerSentEvent.block(news, because: part.trouble)
            }
        } else {
            // It was read after the listener heard everything: what comes after this place is not in it, or told twice.
            first += ServerSentEvent.block(state.name, id: opened.membership.start.sequence, state.json.bytes)
        }
        guard !isOver else {
            listener.box.close()
            return opened.response(first: first)
        }
        // The last event of a job among others is not held up by what the others put out.
        if follow.isAlone { listener.willHearOutput() }
        return opened.response(
            first: first,
            feeding: { [scheduler] listener in
                await Self.follow(follow.request, job: follow.job, over: scheduler, into: listener.box)
                listener.heardOutput()
            })
    }

    /// Tells how far the jobs are and what they put out, until all are final. A client that is slow gets fewer,
    /// larger pieces.
    private static func follow(
        _ request: JobID, job: JobID?, over scheduler: SchedulerLink, into box: StreamBox
    ) async {
        while !Task.isCancelled {
            guard let client = try? scheduler.client() else {
                // It was not there yet.
                try? await Task.sleep(for: .seconds(1))
                continue
            }
            do throws(ClientError) {
                for try await update in client.updates(ofRequest: request) {
                    switch update {
                    case .progress(let progress) where job == nil || progress.job == job:
                        await box.putWhenEmpty(ServerSentEvent.progress(progress, of: request))
                    case .output(let output) where job == nil || output.job == job:
                        await box.putWhenEmpty(ServerSentEvent.output(output, of: request))
                    case .progress, .output, .finished: break
                    }
                }
            } catch {}
            return
        }
    }

    // MARK: Everything

    @Sendable private func everything(_ call: Call) async throws -> Response {
        let query = try Query(call.request, ["kind", "tenant"], withTicket: true)
        let kind = try query.text("kind")
        let named = try query.text("tenant")
        if let own = call.identity.tenant, let named, named != own {
            throw Problem.forbidden("the token is of tenant \(own): tenant must be that, or left out")
        }
        let tenant = call.identity.tenant ?? named
        let opened = try await open(
            call, .everything(tenant: tenant, kind: kind, withWorkers: tenant == nil && kind == nil))
        guard let had = opened.had else { return opened.response(first: ServerSentEvent.opening) }
        let (hub, start, subject) = (hub, opened.membership.start, opened.subject)
        return opened.response(
            first: ServerSentEvent.opening,
            replaying: { listener, tell in
                var next: EventPosition?
                for number in 0...GatewayLimits.replayParts {
                    let from = next
                    let part = try await hub.replay(
                        after: had, to: start, of: subject, while: { [box = listener.box] in !box.isOver }
                    ) { replay, history throws(PostgresError) in
                        guard number == GatewayLimits.replayParts, let from else {
                            return try replay.events(from: from, in: &history)
                        }
                        return replay.give(up: from, because: "too many to read them all again")
                    }
                    var blocks: [UInt8] = []
                    for news in part.news {
                        if case .event(let event) = news, !listener.interest.includes(event) { continue }
                        blocks += ServerSentEvent.block(news, because: part.trouble)
                    }
                    try await tell(blocks)
                    next = part.next
                    if next == nil { return }
                }
            })
    }

    // MARK: Opening

    private func open(_ call: Call, _ interest: Interest) async throws -> OpenedStream {
        let had = try Self.lastEvent(call.request)
        let subject = call.identity.subject
        let seat = try seats.take(subject)
        let box = StreamBox(limit: interest.patience, cut: call.context.cut)
        let membership = try await hub.join(Listener(interest, had: had, box: box))
        if let had, membership.start.isBefore(had), try await !hub.hasCome(to: had, of: subject) {
            // It would hear nothing until the journal is as far, which may be never.
            throw Problem.field("Last-Event-ID", "names an event that has not happened; leave it out to begin anew")
        }
        return OpenedStream(
            request: call.request, membership: membership, seat: seat, subject: subject, had: had)
    }

    private static func lastEvent(_ request: Request) throws(Problem) -> EventSequence? {
        let values = request.headers[values: .lastEventID]
        guard let text = values.first, !text.isEmpty else { return nil }
        guard values.count == 1, let sequence = EventSequence(text) else {
            throw .field("Last-Event-ID", "must be the id of an event, as a stream had it")
        }
        return sequence
    }
}

extension HTTPField.Name {
    // A constant that is a valid name: the initializer gives nil for others only.
    fileprivate static let lastEventID = HTTPField.Name("Last-Event-ID")!
}
