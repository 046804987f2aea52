import FoundationEssentials
import Hummingbird
import StatexProtocol

/// `/v1/pause`, `/v1/resume`, `/v1/workers/NAME/drain`: what operators order.
struct OrderRoutes: Sendable {
    let scheduler: SchedulerLink
    let bodyLimit: Int

    /// A name, a slash and an incarnation.
    static let longestWorker = Limits.nameBytes + 17

    var endpoints: [Endpoint] {
        [
            Endpoint(.post, "/v1/pause", for: .operate) { try await order(.pause, $0) },
            Endpoint(.post, "/v1/resume", for: .operate) { try await order(.resume, $0) },
            Endpoint(.post, "/v1/workers/{name}/drain", for: .operate, answer: drain),
        ]
    }

    private func order(_ action: OrderAction, _ call: Call) async throws -> Response {
        let body = try await Body.decode(PauseBody.self, from: call, limit: bodyLimit)
        if body.filter.tenant == nil || body.filter.tenant != call.identity.tenant {
            try call.identity.checkSeesEverything()
        }
        return try await give(action, body.filter, note: body.note, call)
    }

    @Sendable private func drain(_ call: Call) async throws -> Response {
        try call.identity.checkSeesEverything()
        var filter = OrderFilter()
        // What stands in a path is escaped still.
        let name = call.context.parameters.get("name")?.removingPercentEncoding ?? ""
        guard (1...Self.longestWorker).contains(name.utf8.count), !name.utf8.contains(0) else {
            throw Problem.field(
                "name", "must be a worker's name, or name/incarnation, of 1 to \(Limits.nameBytes) bytes without NUL")
        }
        filter.worker = name
        return try await give(.drain, filter, note: nil, call)
    }

    private func give(
        _ action: OrderAction, _ filter: OrderFilter, note: String?, _ call: Call
    ) async throws -> Response {
        let (reached, message) = try await scheduler.order(action, filter, note: note, by: call.identity)
        var text = JSONText()
        text.object {
            $0.member("matched", reached)
            $0.member("message", orNull: message.isEmpty ? nil : message)
        }
        return Response(json: text, status: .accepted)
    }
}

/// What a pause holds back: one of them.
struct PauseBody: Decodable {
    var filter = OrderFilter()
    var note: String?

    enum Fields: String, CodingKey, CaseIterable { case kind, tenant, all, note }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.fields(Fields.self)
        filter.kind = try fields.word(.kind, Limits.nameBytes)
        filter.tenant = try fields.word(.tenant, Limits.nameBytes)
        filter.everything = try fields.decodeIfPresent(Bool.self, forKey: .all) ?? false
        note = try fields.word(.note, Limits.noteBytes)
        let named = [filter.kind != nil, filter.tenant != nil, filter.everything].count { $0 }
        try fields.check(.kind, named == 1, "give one of kind, tenant, all")
        try fields.check(.kind, filter.kind.map(KindName.isValid) ?? true, "must be \(KindName.rule)")
    }
}
