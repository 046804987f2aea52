import StatexProtocol

/// One message of the event stream, read and checked as a whole.
package enum EventMessage: Sendable, Equatable {
    case events(EventPart)
    case workers([WorkerEvent])

    package init(reading bytes: borrowing RawSpan) throws(WireError) {
        let header = try Header(reading: bytes)
        switch header.type {
        case .events: self = .events(try EventPart(reading: bytes, header: header))
        case .workerEvents:
            let first = try WorkerEventRecord.readNumber(bytes, header: header)
            guard first <= .max - UInt64(header.count) else {
                throw WireError(.malformed, "the number \(first) is out of range")
            }
            var cursor = try header.recordCursor(atLeast: WorkerEventRecord.size)
            var events: [WorkerEvent] = []
            for offset in 0..<UInt64(header.count) {
                guard let record = try WorkerEventRecord.read(&cursor, header: header, in: bytes) else { continue }
                events.append(
                    WorkerEvent(
                        record.type, worker: "\(record.name)/\(String(record.incarnation, radix: 16))",
                        slots: Int(record.slots), at: record.at, number: first + offset))
            }
            self = .workers(events)
        default: throw WireError(.type, "the event stream has no message \(header.type)")
        }
    }
}

/// The events of a commit, or those of them that one message holds; none: where the stream stands.
///
/// They stay packed: of most of them nobody wants to know, and what each is about is seen without making it.
package struct EventPart: Sendable, Equatable {
    package struct Packed: Sendable, Equatable {
        /// Which of the commit's events it is.
        package var index: UInt32
        package var record: EventRecord

        package init(index: UInt32, _ record: EventRecord) {
            self.index = index
            self.record = record
        }
    }

    package var incarnation: UInt64
    package var epoch: UInt32
    package var head: EventsHead
    /// Records, those included that are not known here.
    package var count: UInt32
    package var packed: [Packed]
    /// What records name by its place here.
    package var names: [String]

    package init(
        incarnation: UInt64, epoch: UInt32, head: EventsHead, count: UInt32, packed: [Packed], names: [String]
    ) {
        self.incarnation = incarnation
        self.epoch = epoch
        self.head = head
        self.count = count
        self.packed = packed
        self.names = names
    }

    init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        head = try EventsHead(reading: bytes, header: header)
        incarnation = header.incarnation
        epoch = header.epoch
        count = header.count
        names = try head.readNames(bytes, header: header)
        packed = []
        var cursor = try header.recordCursor(atLeast: EventRecord.size)
        packed.reserveCapacity(Int(count))
        for offset in 0..<count {
            guard let record = try EventRecord.read(&cursor, header: header, names: names.count, in: bytes) else {
                continue
            }
            packed.append(Packed(index: head.first + offset, record))
        }
    }

    /// Behind its last event.
    package var end: EventPosition {
        let end = head.first + count
        return end == head.total
            ? EventPosition(batch: head.batch + 1) : EventPosition(batch: head.batch, index: end)
    }

    package var events: some Sequence<JobEvent> { packed.lazy.map(event) }

    package func event(_ packed: Packed) -> JobEvent {
        let record = packed.record
        return JobEvent(
            record.type, sequence: EventSequence(incarnation: incarnation, batch: head.batch, index: packed.index),
            id: JobID(rawValue: record.id), request: JobID(rawValue: record.request), index: record.index,
            kind: name(record.kind) ?? "", tenant: name(record.tenant) ?? "", worker: name(record.worker),
            number: record.number, ending: record.ending, at: record.at)
    }

    /// - Returns: nil: none is named.
    package func name(_ place: UInt16) -> String? {
        Int(place) < names.count ? names[Int(place)] : nil
    }

    /// Without those before an index, which were had.
    package func from(_ index: UInt32) -> EventPart {
        guard let first = packed.first, first.index < index else { return self }
        var part = self
        part.packed.removeAll { $0.index < index }
        return part
    }
}
