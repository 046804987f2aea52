// ORDER and ORDER_REPLY: what an operator wants done, and how far it reached.

public enum OrderAction: UInt8, Sendable, CaseIterable {
    /// Jobs of a kind, of a tenant, or all of them start no more; what runs goes on.
    case pause = 1
    /// Takes that pause back.
    case resume = 2
    /// A worker hands back what it has not started, finishes what runs, and ends.
    case drain = 3
    /// Open jobs end as `cancelled`.
    case cancel = 4
    /// A new job for each of these dead letters.
    case retry = 5
    /// These dead letters are done with: lists leave them out.
    case drop = 6

    public var name: String { "\(self)" }
}

/// Which jobs, or which worker, an order means: what fits all that it names.
public struct OrderFilter: Sendable, Equatable {
    enum Tag: UInt16 {
        case everything = 1
        case kind = 2
        case tenant = 3
        case tag = 4
        case state = 5
        case worker = 6
        case jobs = 7
        case requests = 8
        case note = 9
    }

    /// Said in so many words: an order that forgot its filter must not reach everything.
    public var everything = false
    public var kind: String?
    public var tenant: String?
    /// A job must have all of them.
    public var tags: [String] = []
    /// An open state. `leased` and `running` both mean what a worker holds.
    public var state: JobState?
    /// A worker's name, or its name and incarnation (`name/hex`) as lists show it.
    public var worker: String?
    public var jobs: [JobID] = []
    /// Each stands for all of its jobs.
    public var requests: [JobID] = []

    public init() {}
}

/// One order. The same number of the same sender is the same order: it is carried out once.
public struct Order: Sendable, Equatable {
    static let fields = 16

    /// Chosen by the sender, from 1 on; never used for another order.
    public var number: UInt64
    public var action: OrderAction
    /// Says how far it would reach, and does nothing.
    public var isDryRun = false
    /// For the audit trail: who orders it.
    public var who: String
    /// For the audit trail: why.
    public var note = ""
    public var filter = OrderFilter()

    public init(_ action: OrderAction, number: UInt64, who: String) {
        self.action = action
        self.number = number
        self.who = who
    }

    /// The number alone: enough to answer an order that cannot be read further.
    public static func number(in bytes: borrowing RawSpan, header: Header) throws(WireError) -> UInt64 {
        var cursor = try header.fieldCursor(atLeast: fields)
        let number = try cursor.read(UInt64.self, in: bytes, "order number")
        guard number > 0, number < 1 << 63 else {
            throw WireError(.malformed, "order number is \(number), it takes 1 to 2^63-1")
        }
        return number
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        number = try Self.number(in: bytes, header: header)
        var cursor = ByteCursor(at: Header.size + 8)
        let actionNumber = try cursor.read(UInt8.self, in: bytes, "action")
        guard let action = OrderAction(rawValue: actionNumber) else {
            throw WireError(.unsupported, "action \(actionNumber) is not known here")
        }
        self.action = action
        isDryRun = try cursor.read(UInt8.self, in: bytes, "flags") & 1 != 0
        let whoLength = Int(try cursor.read(UInt16.self, in: bytes, "length of who"))
        let filterLength = Int(try cursor.read(UInt32.self, in: bytes, "filter length"))
        guard whoLength >= 1, whoLength <= Limits.nameBytes else {
            throw WireError(.tooLarge, "who has \(whoLength) bytes, it takes 1 to \(Limits.nameBytes)")
        }
        cursor = ByteCursor(at: Int(header.headerLength))
        who = try cursor.text(whoLength, in: bytes, "who")
        let start = try cursor.take(filterLength, in: bytes, "filter")
        try read(filter: bytes.extracting(start..<start + filterLength))
        try check()
    }

    private mutating func read(filter bytes: borrowing RawSpan) throws(WireError) {
        var cursor = ByteCursor()
        while cursor.remaining(in: bytes) > 0 {
            let number = try cursor.read(UInt16.self, in: bytes, "filter tag")
            let length = Int(try cursor.read(UInt16.self, in: bytes, "filter length"))
            guard let tag = OrderFilter.Tag(rawValue: number) else {
                guard number >= OptionTag.skippable else {
                    throw WireError(.unsupported, "filter \(number) is not known here and may not be ignored")
                }
                _ = try cursor.take(length, in: bytes, "filter")
                continue
            }
            switch tag {
            case .everything: filter.everything = true
            case .kind: filter.kind = try cursor.text(length, in: bytes, "kind")
            case .tenant: filter.tenant = try cursor.text(length, in: bytes, "tenant")
            case .tag:
                filter.tags.append(try cursor.text(length, in: bytes, "tag"))
                guard filter.tags.count <= JobOptions.tags else { throw Self.tooManyTags }
            case .state:
                guard length == 1 else { throw WireError(.malformed, "state has \(length) bytes, it takes 1") }
                let state = try cursor.read(UInt8.self, in: bytes, "state")
                filter.state = JobState(rawValue: state)
                guard filter.state != nil else { throw WireError(.malformed, "job state \(state) is unknown") }
            case .worker: filter.worker = try cursor.text(length, in: bytes, "worker")
            case .jobs: filter.jobs = try Self.ids(length, &cursor, bytes, "jobs")
            case .requests: filter.requests = try Self.ids(length, &cursor, bytes, "requests")
            case .note: note = try cursor.text(length, in: bytes, "note")
            }
        }
    }

    private static func ids(
        _ length: Int, _ cursor: inout ByteCursor, _ bytes: borrowing RawSpan, _ field: StaticString
    ) throws(WireError) -> [JobID] {
        guard length % 8 == 0, length >= 8, length / 8 <= Limits.idsInOrder else {
            throw WireError(
                .tooLarge, "\(field) has \(length) bytes, it takes 8 for each of 1 to \(Limits.idsInOrder) ids")
        }
        var ids: [JobID] = []
        for _ in 0..<length / 8 {
            let id = try cursor.read(UInt64.self, in: bytes, field)
            guard id > 0, id < 1 << 63 else { throw WireError(.malformed, "\(id) is not an id") }
            ids.append(JobID(rawValue: id))
        }
        return ids
    }

    private static var tooManyTags: WireError {
        WireError(.tooLarge, "more than \(JobOptions.tags) tags of 1 to \(JobOptions.tagBytes) bytes")
    }

    // MARK: What each action takes

    /// Whether the filter makes sense for the action; both ends ask.
    public func check() throws(WireError) {
        for (text, limit, field) in [
            (filter.kind, Limits.nameBytes, "kind"), (filter.tenant, Limits.nameBytes, "tenant"),
            (filter.worker, Limits.nameBytes + 17, "worker"), (note.isEmpty ? nil : note, Limits.noteBytes, "note"),
        ] {
            guard let text, !(1...limit).contains(text.utf8.count) else { continue }
            throw WireError(.tooLarge, "\(field) has \(text.utf8.count) bytes, it takes 1 to \(limit)")
        }
        guard filter.tags.count <= JobOptions.tags,
            filter.tags.allSatisfy({ (1...JobOptions.tagBytes).contains($0.utf8.count) })
        else { throw Self.tooManyTags }
        guard filter.jobs.count <= Limits.idsInOrder, filter.requests.count <= Limits.idsInOrder else {
            throw WireError(.tooLarge, "an order names at most \(Limits.idsInOrder) ids")
        }
        switch action {
        case .pause, .resume: try allow(only: 1, of: ["everything", "kind", "tenant"])
        case .drain: try allow(only: 1, of: ["worker"])
        case .retry, .drop: try allow(only: 1, of: ["jobs"])
        case .cancel:
            guard filter != OrderFilter() else {
                throw WireError(.malformed, "cancel takes a filter; all jobs must be asked for by `everything`")
            }
            if let state = filter.state, state.isFinal {
                throw WireError(.malformed, "state \(state.name) is final: nothing is left to cancel")
            }
        }
    }

    /// Exactly so many of these filters, and no other.
    private func allow(only count: Int, of names: [String]) throws(WireError) {
        let said = filter.names
        guard said.count == count, said.allSatisfy(names.contains) else {
            throw WireError(
                .malformed,
                "\(action.name) takes one of: \(names.joined(separator: ", ")); it has \(said.isEmpty ? "none" : said.joined(separator: ", "))"
            )
        }
    }

    // MARK: Writing

    public func write(to buffer: inout ByteBuffer, stamp: SessionStamp) {
        var options = ByteBuffer(capacity: 256)
        filter.write(to: &options)
        if !note.isEmpty { OrderFilter.append(.note, note, to: &options) }
        Header(.order, fields: Self.fields, stamp: stamp).write(to: &buffer)
        buffer.append(number)
        buffer.append(action.rawValue)
        buffer.append(UInt8(isDryRun ? 1 : 0))
        buffer.append(UInt16(who.utf8.count))
        buffer.append(UInt32(options.count))
        buffer.append(who)
        buffer.append(options.bytes)
    }
}

extension OrderFilter {
    /// What it names, by the words of the protocol.
    var names: [String] {
        [
            everything ? "everything" : nil, kind.map { _ in "kind" }, tenant.map { _ in "tenant" },
            tags.isEmpty ? nil : "tag", state.map { _ in "state" }, worker.map { _ in "worker" },
            jobs.isEmpty ? nil : "jobs", requests.isEmpty ? nil : "requests",
        ].compactMap { $0 }
    }

    fileprivate func write(to buffer: inout ByteBuffer) {
        if everything { Self.begin(.everything, 0, &buffer) }
        if let kind { Self.append(.kind, kind, to: &buffer) }
        if let tenant { Self.append(.tenant, tenant, to: &buffer) }
        for tag in tags { Self.append(.tag, tag, to: &buffer) }
        if let state {
            Self.begin(.state, 1, &buffer)
            buffer.append(state.rawValue)
        }
        if let worker { Self.append(.worker, worker, to: &buffer) }
        for (tag, ids) in [(Tag.jobs, jobs), (Tag.requests, requests)] where !ids.isEmpty {
            Self.begin(tag, ids.count * 8, &buffer)
            for id in ids { buffer.append(id.rawValue) }
        }
    }

    fileprivate static func append(_ tag: Tag, _ text: String, to buffer: inout ByteBuffer) {
        begin(tag, text.utf8.count, &buffer)
        buffer.append(text)
    }

    private static func begin(_ tag: Tag, _ length: Int, _ buffer: inout ByteBuffer) {
        buffer.append(tag.rawValue)
        buffer.append(UInt16(length))
    }
}

/// The answer to an order, once it is durable; to a dry run or a refused one at once.
public struct OrderReply: Sendable, Equatable {
    static let fields = 24

    public var number: UInt64
    /// Jobs that it reached: cancelled, retried, dropped, held back or let go on; of a drain, workers.
    public var reached: UInt32 = 0
    /// 0: done. Else a `WireError.Code`: nothing was done.
    public var code: UInt16 = 0
    /// It was carried out before: this is the answer of that time.
    public var isRepeated = false
    /// More would fit than one order reaches: order again, under a new number.
    public var hasMore = false
    /// For people.
    public var message = ""

    public init(number: UInt64) { self.number = number }

    public init(number: UInt64, _ error: WireError) {
        self.number = number
        code = error.code.rawValue
        message = error.message
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        number = try cursor.read(UInt64.self, in: bytes, "order number")
        reached = try cursor.read(UInt32.self, in: bytes, "reached")
        code = try cursor.read(UInt16.self, in: bytes, "code")
        let flags = try cursor.read(UInt16.self, in: bytes, "flags")
        isRepeated = flags & 1 != 0
        hasMore = flags & 2 != 0
        let length = Int(try cursor.read(UInt16.self, in: bytes, "message length"))
        cursor = ByteCursor(at: Int(header.headerLength))
        message = try cursor.text(length, in: bytes, "message")
    }

    public func write(to buffer: inout ByteBuffer, stamp: SessionStamp) {
        let message = message.cut(toBytes: Limits.textBytes)
        Header(.orderReply, fields: Self.fields, stamp: stamp).write(to: &buffer)
        buffer.append(number)
        buffer.append(reached)
        buffer.append(code)
        buffer.append(UInt16(isRepeated ? 1 : 0) | UInt16(hasMore ? 2 : 0))
        buffer.append(UInt16(message.utf8.count))
        buffer.append(zeros: 6)
        buffer.append(message)
    }
}
