import FoundationEssentials
import HTTPTypes
import Hummingbird
import StatexClient
import StatexProtocol
import StatexReads

/// `/v1/dead-letters`: list and group them; retry or drop those that fit a filter.
struct LetterRoutes: Sendable {
    let scheduler: SchedulerLink
    let reads: ReadPool
    let orders: LetterOrders
    let bodyLimit: Int

    var endpoints: [Endpoint] {
        [
            Endpoint(.get, "/v1/dead-letters", for: .read, answer: list),
            Endpoint(.post, "/v1/dead-letters/retry", for: .operate) { try await order(.retry, $0) },
            Endpoint(.post, "/v1/dead-letters/drop", for: .operate) { try await order(.drop, $0) },
        ]
    }

    @Sendable private func list(_ call: Call) async throws -> Response {
        let query = try Query(
            call.request,
            ["kind", "tenant", "error_class", "tag", "since", "until", "all", "group", "limit", "cursor"],
            repeatable: ["tag"])
        var filter = LetterFilter()
        filter.kind = try query.text("kind")
        filter.tenant = try query.text("tenant")
        filter.errorClass = try query.text("error_class")
        filter.tags = try query.texts("tag", count: JobOptions.tags)
        filter.since = try query.time("since")
        filter.until = try query.time("until")
        let all = try query.flag("all")
        let isGrouped = try query.flag("group")
        var walk = try query.walk()
        let limit = walk.limit
        if isGrouped { walk.limit = GatewayLimits.lettersInGroups }
        let viewer = call.identity.viewer
        let list = try await reads.answer { [filter, walk] reader throws(ReadError) in
            isGrouped
                ? try reader.deadLetterGroups(filter, all: all, limit: limit, walk, for: viewer)
                : try reader.deadLetters(filter, all: all, walk, for: viewer)
        }
        return Response(body: list.json(isGrouped ? "groups" : "letters", nulls: true))
    }

    private func order(_ action: OrderAction, _ call: Call) async throws -> Response {
        let body = try await Body.decode(LetterBody.self, from: call, limit: bodyLimit)
        let viewer = call.identity.viewer
        let search = LetterSearch(
            after: body.cursor?.rawValue ?? 0, limit: GatewayLimits.lettersInOrder,
            patience: GatewayLimits.letterPatience)
        let letters = try await reads.answer { reader throws(ReadError) in
            try reader.deadLetterIDs(body.filter, search, for: viewer)
        }
        if !body.isDryRun { try body.checkDuration(of: letters.ids.count) }
        let sender = try scheduler.sender(note: body.note, by: call.identity)
        var progress = LetterOrders.Progress()
        if !body.isDryRun {
            progress = try await orders.give(
                action, letters.ids, perSecond: body.perSecond, by: sender, of: call.identity.subject)
        }
        var text = JSONText()
        text.object {
            $0.member("matched", letters.ids.count)
            $0.member("reached", progress.reached)
            $0.member("dry_run", body.isDryRun)
            $0.member("done", body.isDryRun || progress.isOver)
            $0.member("message", orNull: progress.shortfall)
            $0.member("next", orNull: letters.next?.description)
        }
        return Response(json: text, status: body.isDryRun ? .ok : .accepted)
    }
}

/// Which dead letters an order means: all that fit, as far as one look for them comes.
struct LetterBody: Decodable {
    var filter = LetterFilter()
    /// Behind which it goes on, as the order before said.
    var cursor: JobID?
    var isDryRun: Bool
    var perSecond: Double?
    var note: String?

    static let rates = 0.01...100_000.0

    enum Fields: String, CodingKey, CaseIterable {
        case kind, tenant, tags, since, until, all, cursor, note
        case errorClass = "error_class"
        case dryRun = "dry_run"
        case perSecond = "per_second"
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.fields(Fields.self)
        filter.kind = try fields.word(.kind, Limits.nameBytes)
        filter.tenant = try fields.word(.tenant, Limits.nameBytes)
        filter.errorClass = try fields.word(.errorClass, Int(UInt8.max))
        filter.tags = try fields.words(.tags, count: JobOptions.tags, bytes: JobOptions.tagBytes)
        filter.since = try fields.time(.since).map { Timestamp(date: $0).microseconds }
        filter.until = try fields.time(.until).map { Timestamp(date: $0).microseconds }
        if let text = try fields.decodeIfPresent(String.self, forKey: .cursor) {
            cursor = JobID(text)
            try fields.check(.cursor, cursor != nil, "must be what an order answered as `next`")
        }
        isDryRun = try fields.decodeIfPresent(Bool.self, forKey: .dryRun) ?? false
        perSecond = try fields.decodeIfPresent(Double.self, forKey: .perSecond)
        try fields.check(
            .perSecond, Self.rates.contains(perSecond ?? 1),
            "must be a number from \(Self.rates.lowerBound) to \(Self.rates.upperBound)")
        note = try fields.word(.note, Limits.noteBytes)
        // An order that forgot its filter must not reach everything.
        let all = try fields.decodeIfPresent(Bool.self, forKey: .all) ?? false
        try fields.check(.all, all || filter != LetterFilter(), "must be true for an order without a filter")
    }

    /// - Parameter letters: that it found.
    func checkDuration(of letters: Int) throws(Problem) {
        let most = GatewayLimits.letterOrderSeconds
        guard let perSecond, Double(letters) / perSecond > Double(most) else { return }
        let rate = Double(letters) / Double(most)
        throw .field(
            Fields.perSecond.stringValue,
            "must be at least \((rate * 100).rounded(.up) / 100) for the \(letters) dead letters that fit: an order takes at most \(most) s; "
                + "or order fewer of them, by a narrower filter")
    }
}
