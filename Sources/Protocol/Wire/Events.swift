// EVENTS and WORKER_EVENTS: what the scheduler publishes to who subscribes.

/// The fields of EVENTS: which commit it tells of, and what stands between it and the message before.
public struct EventsHead: Sendable, Equatable {
    public static let size = 40

    public var batch: UInt64
    /// No commit after this one and before `batch` has events: who has all through it has missed nothing.
    public var after: UInt64
    /// Which of the commit's events the first record is, and how many these are in all.
    public var first: UInt32
    public var total: UInt32
    /// When the commit was made; microseconds since 1970.
    public var at: Int64
    public var names: UInt16
    public var shard: UInt8

    public init(batch: UInt64, after: UInt64, first: Int = 0, total: Int = 0, at: Int64, shard: UInt8) {
        self.batch = batch
        self.after = after
        self.first = UInt32(first)
        self.total = UInt32(total)
        self.at = at
        self.shard = shard
        names = 0
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        let start = try header.fieldCursor(atLeast: Self.size).offset
        batch = bytes.integer(UInt64.self, at: start)
        after = bytes.integer(UInt64.self, at: start + 8)
        first = bytes.integer(UInt32.self, at: start + 16)
        total = bytes.integer(UInt32.self, at: start + 20)
        at = bytes.integer(Int64.self, at: start + 24)
        names = bytes.integer(UInt16.self, at: start + 32)
        shard = bytes.integer(UInt8.self, at: start + 34)
        guard batch < 1 << 63, after <= batch else {
            throw WireError(.malformed, "commit \(batch) after commit \(after)")
        }
        guard UInt64(first) + UInt64(header.count) <= UInt64(total) else {
            throw WireError(.malformed, "\(header.count) events from \(first) on, the commit has \(total)")
        }
        guard Int(names) <= 3 * Limits.recordsInMessage else {
            throw WireError(.tooLarge, "\(names) names, \(Limits.recordsInMessage) events name fewer")
        }
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(batch)
        buffer.append(after)
        buffer.append(first)
        buffer.append(total)
        buffer.append(at)
        buffer.append(names)
        buffer.append(shard)
        buffer.append(zeros: 5)
    }

    /// Sets the number of names of the message at the start of `buffer`, once it is known.
    public static func setNames(_ count: UInt16, in buffer: inout ByteBuffer) {
        buffer.replace(at: Header.size + 32, with: count)
    }

    /// Reads the names, which stand behind the records.
    public func readNames(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> [String] {
        // A header that was read says that the records are there.
        var cursor = ByteCursor(at: Int(header.headerLength) + Int(header.count) * Int(header.recordLength))
        var texts: [String] = []
        for _ in 0..<names {
            let length = try cursor.read(UInt8.self, in: bytes, "length of a name")
            texts.append(try cursor.text(Int(length), in: bytes, "name"))
        }
        return texts
    }
}

/// One event of a request or a job.
public struct EventRecord: Sendable, Equatable {
    public static let size = 36
    /// In place of a name: none.
    public static let noName = UInt16.max
    /// In place of an index: a retry by hand, which stands beside the jobs that its request was submitted with.
    public static let retriedByHand = UInt16.max

    /// Of the job, or of the request.
    public var id: UInt64
    public var request: UInt64
    /// Microseconds since 1970.
    public var at: Int64
    /// Places in the message's table of names.
    public var kind: UInt16
    public var tenant: UInt16
    public var worker: UInt16
    /// Of a job: which attempt, from 1; 0: it ended without one. Of a request: how many jobs it has.
    public var number: UInt16
    public var index: UInt16
    public var type: EventType
    /// How the attempt ended; nil: it did not.
    public var ending: Ending?

    public init(
        _ type: EventType, id: UInt64, request: UInt64, at: Int64, kind: UInt16, tenant: UInt16,
        worker: UInt16 = EventRecord.noName, number: UInt16, index: UInt16 = 0, ending: Ending? = nil
    ) {
        self.type = type
        self.id = id
        self.request = request
        self.at = at
        self.kind = kind
        self.tenant = tenant
        self.worker = worker
        self.number = number
        self.index = index
        self.ending = ending
    }

    /// - Returns: nil: of a type that is not known here, to be skipped.
    public static func read(
        _ cursor: inout ByteCursor, header: Header, names: Int, in bytes: borrowing RawSpan
    ) throws(WireError) -> EventRecord? {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "event")
        let endingNumber = bytes.integer(UInt8.self, at: start + 33)
        guard let type = EventType(rawValue: bytes.integer(UInt8.self, at: start + 32)), !type.isOfWorker else {
            return nil
        }
        let record = EventRecord(
            type, id: bytes.integer(UInt64.self, at: start), request: bytes.integer(UInt64.self, at: start + 8),
            at: bytes.integer(Int64.self, at: start + 16), kind: bytes.integer(UInt16.self, at: start + 24),
            tenant: bytes.integer(UInt16.self, at: start + 26), worker: bytes.integer(UInt16.self, at: start + 28),
            number: bytes.integer(UInt16.self, at: start + 30), index: bytes.integer(UInt16.self, at: start + 34),
            ending: Ending(rawValue: endingNumber))
        guard endingNumber == 0 || record.ending != nil else {
            throw WireError(.malformed, "ending \(endingNumber) is unknown")
        }
        for id in [record.id, record.request] where id == 0 || id >= 1 << 63 {
            throw WireError(.malformed, "\(id) is not an id")
        }
        for name in [record.kind, record.tenant, record.worker] where name != noName && Int(name) >= names {
            throw WireError(.malformed, "name \(name) of \(names)")
        }
        return record
    }

    /// Whole words: a scheduler writes half a million of these a second.
    public func write(to buffer: inout ByteBuffer) {
        buffer.append(id)
        buffer.append(request)
        buffer.append(at)
        buffer.append(UInt64(kind) | UInt64(tenant) << 16 | UInt64(worker) << 32 | UInt64(number) << 48)
        buffer.append(UInt32(type.rawValue) | UInt32(ending?.rawValue ?? 0) << 8 | UInt32(index) << 16)
    }
}

/// One event of a worker. The journal has none of these: what was missed stays missed.
public struct WorkerEventRecord: Sendable, Equatable {
    public static let size = 24
    /// Of the message: the number of its first record.
    public static let fields = 8

    public var type: EventType
    public var incarnation: UInt64
    /// Microseconds since 1970.
    public var at: Int64
    public var slots: UInt16
    public var name: String

    public init(_ type: EventType, incarnation: UInt64, at: Int64, slots: UInt16, name: String) {
        self.type = type
        self.incarnation = incarnation
        self.at = at
        self.slots = slots
        self.name = name
    }

    /// - Returns: nil: of a type that is not known here, to be skipped.
    public static func read(
        _ cursor: inout ByteCursor, header: Header, in bytes: borrowing RawSpan
    ) throws(WireError) -> WorkerEventRecord? {
        let start = try cursor.take(Int(header.recordLength), in: bytes, "worker event")
        let length = bytes.integer(UInt16.self, at: start + 18)
        guard Int(length) <= Limits.nameBytes else {
            throw WireError(.tooLarge, "a worker's name has \(length) bytes, the limit is \(Limits.nameBytes)")
        }
        let name = try cursor.text(Int(length), in: bytes, "name of a worker")
        guard let type = EventType(rawValue: bytes.integer(UInt8.self, at: start + 20)), type.isOfWorker else {
            return nil
        }
        return WorkerEventRecord(
            type, incarnation: bytes.integer(UInt64.self, at: start), at: bytes.integer(Int64.self, at: start + 8),
            slots: bytes.integer(UInt16.self, at: start + 16), name: name)
    }

    public static func readNumber(_ bytes: borrowing RawSpan, header: Header) throws(WireError) -> UInt64 {
        bytes.integer(UInt64.self, at: try header.fieldCursor(atLeast: fields).offset)
    }

    public func write(to buffer: inout ByteBuffer) {
        buffer.append(incarnation)
        buffer.append(at)
        buffer.append(slots)
        buffer.append(UInt16(truncatingIfNeeded: name.utf8.count))
        buffer.append(type.rawValue)
        buffer.append(zeros: 3)
        buffer.append(name)
    }
}
