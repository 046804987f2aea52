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
package struct EventPart: Sendable, Equatable {
    package var incarnation: UInt64
    package var epoch: UInt32
    package var head: EventsHead
    /// Records, those included that are not known here.
    package var count: UInt32
    package var events: [JobEvent]

    package init(incarnation: UInt64, epoch: UInt32, head: EventsHead, count: UInt32, events: [JobEvent]) {
        self.incarnation = incarnation
        self.epoch = epoch
        self.head = head
        self.count = count
        self.events = events
    }

    init(reading bytes: borrowing RawSpan, header: Header) throws(WireError) {
        head = try EventsHead(reading: bytes, header: header)
        incarnation = header.incarnation
        epoch = header.epoch
        count = header.count
        events = []
        var cursor = try header.recordCursor(atLeast: EventRecord.size)
        let names = try head.readNames(bytes, header: header)
        func name(_ place: UInt16) -> String? { place == EventRecord.noName ? nil : names[Int(place)] }
        events.reserveCapacity(Int(count))
        for offset in 0..<count {
            guard let record = try EventRecord.read(&cursor, header: header, names: names.count, in: bytes) else {
                continue
            }
            let sequence = EventSequence(incarnation: incarnation, batch: head.batch, index: head.first + offset)
            events.append(
                JobEvent(
                    record.type, sequence: sequence, id: JobID(rawValue: record.id),
                    request: JobID(rawValue: record.request), index: record.index, kind: name(record.kind) ?? "",
                    tenant: name(record.tenant) ?? "", worker: name(record.worker), number: record.number,
                    ending: record.ending, at: record.at))
        }
    }
}
