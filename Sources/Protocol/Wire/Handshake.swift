// HELLO, WELCOME, FAULT, HEARTBEAT, GOODBYE: how a session begins, lives and ends.

public enum Role: UInt8, Sendable, CaseIterable {
    case client = 1
    case worker = 2
}

/// The first message of a peer on a new socket.
public struct Hello: Sendable, Equatable {
    /// A kind that a worker has a handler for, or why it cannot run it.
    public struct Kind: Sendable, Equatable {
        public var name: String
        /// Empty: jobs of this kind are welcome.
        public var unavailable: String
        /// How many of one key it runs in one call, 1 to `Limits.jobsInBatch`; 1: each alone.
        public var batchSize: UInt16
        /// How long the first job of a batch waits for others, at most `Limits.batchWaitMilliseconds`.
        public var batchWaitMilliseconds: UInt16

        public init(
            _ name: String, unavailable: String = "", batchSize: UInt16 = 1, batchWaitMilliseconds: UInt16 = 0
        ) {
            self.name = name
            self.unavailable = unavailable
            self.batchSize = batchSize
            self.batchWaitMilliseconds = batchWaitMilliseconds
        }
    }

    static let fields = 40
    static let recordSize = 8

    public var role: Role
    public var lowestVersion: UInt8 = Header.version
    public var highestVersion: UInt8 = Header.version
    /// Slots of a worker; 0 for a client.
    public var slots: UInt16 = 0
    /// The process, for its life: a random number.
    public var incarnation: UInt64
    /// The journal incarnation that the peer believed last; 0: none yet.
    public var journal: UInt64 = 0
    /// Who counts the sequences of submits (16 bytes, random or chosen); zeros for a worker.
    public var producer: Producer = Producer()
    /// For people: at most `Limits.nameBytes`.
    public var name: String
    /// For people: a JSON object with versions, isolation and the like, or empty.
    public var details: String = ""
    /// What a worker has (a GPU, a region): a job may require some of them.
    public var labels: [String] = []
    /// What a worker has an amount of (GPUs, GiB of memory): kinds may need some of it.
    public var resources: [ResourceAmount] = []
    public var kinds: [Kind] = []

    public init(role: Role, incarnation: UInt64, name: String) {
        self.role = role
        self.incarnation = incarnation
        self.name = name
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        let roleNumber = try cursor.read(UInt8.self, in: bytes, "role")
        guard let role = Role(rawValue: roleNumber) else {
            throw WireError(.malformed, "role \(roleNumber) is unknown")
        }
        self.role = role
        journal = header.incarnation
        lowestVersion = try cursor.read(UInt8.self, in: bytes, "lowest version")
        highestVersion = try cursor.read(UInt8.self, in: bytes, "highest version")
        guard lowestVersion <= Header.version, highestVersion >= Header.version else {
            throw WireError(
                .version,
                "versions \(lowestVersion) to \(highestVersion) are not spoken here; spoken: \(Header.version)")
        }
        let labelCount = Int(try cursor.read(UInt8.self, in: bytes, "number of labels"))
        guard labelCount <= Limits.labelsInWorker else {
            throw WireError(.tooLarge, "\(labelCount) labels, the limit is \(Limits.labelsInWorker)")
        }
        slots = try cursor.read(UInt16.self, in: bytes, "slots")
        guard Int(slots) <= Limits.slots, role == .client || slots > 0 else {
            throw WireError(.tooLarge, "slots is \(slots), a worker has 1 to \(Limits.slots)")
        }
        let nameLength = Int(try cursor.read(UInt16.self, in: bytes, "name length"))
        let detailsLength = Int(try cursor.read(UInt32.self, in: bytes, "details length"))
        let resourceCount = Int(try cursor.read(UInt8.self, in: bytes, "number of resources"))
        guard resourceCount <= Limits.resourcesInWorker else {
            throw WireError(.tooLarge, "\(resourceCount) resources, the limit is \(Limits.resourcesInWorker)")
        }
        _ = try cursor.take(3, in: bytes, "reserved")
        incarnation = try cursor.read(UInt64.self, in: bytes, "incarnation")
        producer = Producer(
            high: try cursor.read(UInt64.self, in: bytes, "producer"),
            low: try cursor.read(UInt64.self, in: bytes, "producer"))
        guard nameLength >= 1, nameLength <= Limits.nameBytes else {
            throw WireError(.tooLarge, "name has \(nameLength) bytes, it takes 1 to \(Limits.nameBytes)")
        }
        guard detailsLength <= Limits.textBytes else {
            throw WireError(.tooLarge, "details has \(detailsLength) bytes, the limit is \(Limits.textBytes)")
        }
        guard Int(header.count) <= Limits.kindsInWorker else {
            throw WireError(.tooLarge, "\(header.count) kinds, the limit is \(Limits.kindsInWorker)")
        }
        cursor = try header.recordCursor(atLeast: Self.recordSize)
        name = try cursor.text(nameLength, in: bytes, "name")
        details = try cursor.text(detailsLength, in: bytes, "details")
        if !details.isEmpty {
            do throws(JSONFailure) {
                _ = try JSONObject(Array(details.utf8))
            } catch {
                throw WireError(.malformed, "details is no JSON object as it should be: \(error)")
            }
        }
        for _ in 0..<labelCount {
            let length = Int(try cursor.read(UInt8.self, in: bytes, "label length"))
            guard length >= 1, length <= Limits.labelBytes else {
                throw WireError(.tooLarge, "a label has \(length) bytes, it takes 1 to \(Limits.labelBytes)")
            }
            labels.append(try cursor.text(length, in: bytes, "label"))
        }
        for _ in 0..<resourceCount {
            let amount = try cursor.read(UInt32.self, in: bytes, "amount of a resource")
            let length = Int(try cursor.read(UInt8.self, in: bytes, "resource length"))
            guard length >= 1, length <= Limits.labelBytes else {
                throw WireError(.tooLarge, "a resource has \(length) bytes, it takes 1 to \(Limits.labelBytes)")
            }
            let name = try cursor.text(length, in: bytes, "resource")
            guard !resources.contains(where: { $0.name == name }) else {
                throw WireError(.malformed, "resource \(name) is there twice")
            }
            resources.append(ResourceAmount(name, amount))
        }
        for _ in 0..<header.count {
            let start = try cursor.take(Int(header.recordLength), in: bytes, "kind")
            let kindLength = Int(bytes.integer(UInt16.self, at: start))
            let reasonLength = Int(bytes.integer(UInt16.self, at: start + 2))
            let batchSize = bytes.integer(UInt16.self, at: start + 4)
            let batchWait = bytes.integer(UInt16.self, at: start + 6)
            guard kindLength >= 1, kindLength <= Limits.nameBytes else {
                throw WireError(.tooLarge, "kind has \(kindLength) bytes, it takes 1 to \(Limits.nameBytes)")
            }
            guard batchSize >= 1, Int(batchSize) <= Limits.jobsInBatch else {
                throw WireError(.tooLarge, "batch size is \(batchSize), it takes 1 to \(Limits.jobsInBatch)")
            }
            guard Int(batchWait) <= Limits.batchWaitMilliseconds else {
                throw WireError(
                    .tooLarge, "batch wait is \(batchWait) ms, the limit is \(Limits.batchWaitMilliseconds)")
            }
            var kind = Kind(try cursor.text(kindLength, in: bytes, "kind"))
            kind.unavailable = try cursor.text(reasonLength, in: bytes, "reason")
            kind.batchSize = batchSize
            kind.batchWaitMilliseconds = batchWait
            kinds.append(kind)
        }
    }

    public func write(to buffer: inout ByteBuffer) {
        Header(
            .hello, fields: Self.fields, recordLength: Self.recordSize, incarnation: journal, count: kinds.count
        ).write(to: &buffer)
        buffer.append(role.rawValue)
        buffer.append(lowestVersion)
        buffer.append(highestVersion)
        buffer.append(UInt8(labels.count))
        buffer.append(slots)
        buffer.append(UInt16(name.utf8.count))
        buffer.append(UInt32(details.utf8.count))
        buffer.append(UInt8(resources.count))
        buffer.append(zeros: 3)
        buffer.append(incarnation)
        buffer.append(producer.high)
        buffer.append(producer.low)
        buffer.append(name)
        buffer.append(details)
        for label in labels {
            buffer.append(UInt8(label.utf8.count))
            buffer.append(label)
        }
        for resource in resources {
            buffer.append(resource.amount)
            buffer.append(UInt8(resource.name.utf8.count))
            buffer.append(resource.name)
        }
        for kind in kinds {
            buffer.append(UInt16(kind.name.utf8.count))
            buffer.append(UInt16(kind.unavailable.utf8.count))
            buffer.append(kind.batchSize)
            buffer.append(kind.batchWaitMilliseconds)
            buffer.append(kind.name)
            buffer.append(kind.unavailable)
        }
    }
}

/// So much of something that a machine has a countable amount of.
public struct ResourceAmount: Hashable, Sendable {
    public var name: String
    public var amount: UInt32

    public init(_ name: String, _ amount: UInt32) {
        self.name = name
        self.amount = amount
    }
}

/// Who counts the sequences of submits: 16 bytes.
public struct Producer: Hashable, Sendable {
    public var high: UInt64
    public var low: UInt64

    public init(high: UInt64 = 0, low: UInt64 = 0) {
        self.high = high
        self.low = low
    }

    /// Zeros: a worker, or a client that only looks.
    public var isNone: Bool { high == 0 && low == 0 }
}

/// The answer to HELLO: the session, and what the peer has to keep to.
public struct Welcome: Sendable, Equatable {
    static let fields = 24

    public var stamp: SessionStamp
    public var heartbeatMilliseconds: UInt32
    public var leaseMilliseconds: UInt32
    /// The highest sequence of this producer that the journal knows; 0: none. The next is one more.
    public var lastSequence: UInt64

    public init(stamp: SessionStamp, heartbeatMilliseconds: UInt32, leaseMilliseconds: UInt32, lastSequence: UInt64) {
        self.stamp = stamp
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.leaseMilliseconds = leaseMilliseconds
        self.lastSequence = lastSequence
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        stamp = header.stamp
        heartbeatMilliseconds = try cursor.read(UInt32.self, in: bytes, "heartbeat")
        leaseMilliseconds = try cursor.read(UInt32.self, in: bytes, "lease time")
        lastSequence = try cursor.read(UInt64.self, in: bytes, "last sequence")
        guard heartbeatMilliseconds > 0, leaseMilliseconds > heartbeatMilliseconds else {
            throw WireError(
                .malformed, "heartbeat \(heartbeatMilliseconds) ms must be under the lease time \(leaseMilliseconds) ms"
            )
        }
    }

    public func write(to buffer: inout ByteBuffer) {
        Header(.welcome, fields: Self.fields, stamp: stamp).write(to: &buffer)
        buffer.append(heartbeatMilliseconds)
        buffer.append(leaseMilliseconds)
        buffer.append(lastSequence)
        buffer.append(UInt64(0))
    }
}

/// An error that concerns the message or the session as a whole.
public struct Fault: Sendable, Equatable {
    static let fields = 8

    public var code: UInt16
    public var retryAfterMilliseconds: UInt32
    public var message: String

    public init(_ error: WireError, retryAfterMilliseconds: UInt32 = 0) {
        code = error.code.rawValue
        message = error.message
        self.retryAfterMilliseconds = retryAfterMilliseconds
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        code = try cursor.read(UInt16.self, in: bytes, "code")
        let length = Int(try cursor.read(UInt16.self, in: bytes, "message length"))
        retryAfterMilliseconds = try cursor.read(UInt32.self, in: bytes, "retry after")
        cursor = ByteCursor(at: Int(header.headerLength))
        message = try cursor.text(length, in: bytes, "message")
    }

    public func write(to buffer: inout ByteBuffer, stamp: SessionStamp) {
        Header(.fault, fields: Self.fields, stamp: stamp).write(to: &buffer)
        buffer.append(code)
        buffer.append(UInt16(message.utf8.count))
        buffer.append(retryAfterMilliseconds)
        buffer.append(message)
    }
}

/// "I am alive." A worker says what it holds, so that both sides can notice a disagreement.
public struct Heartbeat: Sendable, Equatable {
    static let fields = 8

    public var held: UInt32 = 0
    public var running: UInt32 = 0

    public init(held: UInt32 = 0, running: UInt32 = 0) {
        self.held = held
        self.running = running
    }

    public init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        var cursor = try header.fieldCursor(atLeast: Self.fields)
        held = try cursor.read(UInt32.self, in: bytes, "held")
        running = try cursor.read(UInt32.self, in: bytes, "running")
    }

    public func write(to buffer: inout ByteBuffer, stamp: SessionStamp) {
        Header(.heartbeat, fields: Self.fields, stamp: stamp).write(to: &buffer)
        buffer.append(held)
        buffer.append(running)
    }
}

/// The messages that are a header alone: GOODBYE, STATUS, OFFER_AGAIN, DRAIN.
public enum Bare {
    public static func write(_ type: MessageType, stamp: SessionStamp, to buffer: inout ByteBuffer) {
        Header(type, stamp: stamp).write(to: &buffer)
    }
}
