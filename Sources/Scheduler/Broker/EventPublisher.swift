import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

/// The socket that events leave by, and the message that is being written.
///
/// An XPUB: it hears of subscriptions, so that nothing is made of events while there are none. It never waits:
/// whoever is too slow loses messages, that subscriber alone, and sees it by `after` of the next one.
struct EventPublisher: ~Copyable {
    private var door: Entrance
    /// What is subscribed to. libzmq says each once.
    private var topics: Set<[UInt8]> = []
    /// When it is time to say where the stream stands, on the monotonic clock.
    private(set) var nextBeat: Int64 = 0
    private var buffer = ByteBuffer(capacity: 64)
    private var names = ByteBuffer(capacity: 4_096)
    private var places = NamePlaces()
    private(set) var counts = EventCounts()

    /// More than Statex has types of messages: others do not count, and a stranger cannot fill memory here.
    private static let topicsHeard = 16

    init(_ door: consuming Entrance) { self.door = door }

    func wait(with poller: inout Poller) -> Int { poller.add(door.socket) }

    /// Takes the path back if it leads elsewhere.
    mutating func reclaim() throws(ZeroMQError) -> Bool { try door.reclaim() }

    var isBound: Bool { door.isBound }
    mutating func bindAgain() throws(ZeroMQError) { try door.bindAgain() }

    /// Ends every subscription: who still may comes back, and fills the gap from the journal.
    mutating func dismissAll() throws(ZeroMQError) {
        guard door.hasKeys else { return }
        topics = []
        try door.reopen()
    }

    var isSubscribed: Bool { !topics.isEmpty }

    /// Takes subscriptions in.
    /// - Returns: whether there is a new one: who subscribed is to learn where the stream stands.
    mutating func listen(_ frame: borrowing Frame) throws(ZeroMQError) -> Bool {
        var isNew = false
        // A few at a time, so that a flood of them holds nothing up.
        for _ in 0..<64 {
            guard try door.socket.receive(into: frame) else { break }
            let bytes = frame.bytes
            guard bytes.byteCount > 0 else { continue }
            let topic = bytes.array(1..<bytes.byteCount)
            switch bytes.integer(UInt8.self, at: 0) {
            case 1:
                guard topic.count <= Header.topicBytes, topics.count < Self.topicsHeard else { continue }
                topics.insert(topic)
                isNew = true
            case 0: topics.remove(topic)
            default: break
            }
        }
        return isNew
    }

    /// Publishes the events of a commit: one message, or more if they are more than a message holds.
    mutating func publish(_ head: CommitBatch.Head, of core: borrowing SchedulerCore, stamp: SessionStamp) {
        let events = core.events.all
        var first = 0
        while first < events.count {
            let end = min(first + Limits.recordsInMessage, events.count)
            let fields = EventsHead(
                batch: head.batch, after: core.toldBefore, first: first, total: events.count, at: head.at,
                shard: head.shard)
            write(events[first..<end], fields, core, stamp)
            send()
            counts.events += UInt64(end - first)
            first = end
        }
    }

    private mutating func write(
        _ events: ArraySlice<CommitEvent>, _ fields: EventsHead, _ core: borrowing SchedulerCore, _ stamp: SessionStamp
    ) {
        names.removeAll()
        places.begin()
        begin(.events, fields: EventsHead.size, recordLength: EventRecord.size, stamp, count: events.count)
        fields.write(to: &buffer)
        buffer.reserve(events.count * EventRecord.size)
        for event in events {
            EventRecord(
                event.type, id: event.id, request: event.request, at: event.at,
                kind: places.kind(event.kind, core, &names), tenant: places.tenant(event.tenant, core, &names),
                worker: places.worker(event.lease, core, &names), number: event.number, index: event.index,
                ending: event.ending
            ).write(to: &buffer)
        }
        EventsHead.setNames(places.count, in: &buffer)
        buffer.append(names, from: 0, length: names.count)
    }

    /// Says where the stream stands: so that who subscribes knows that it hears, and that it missed nothing.
    mutating func beat(_ core: borrowing SchedulerCore, at now: Now, stamp: SessionStamp) {
        nextBeat = now.monotonic + Int64(Limits.eventBeatMilliseconds) * 1_000_000
        begin(.events, fields: EventsHead.size, recordLength: EventRecord.size, stamp, count: 0)
        EventsHead(batch: core.committedBatch, after: core.lastTold, at: now.wall, shard: core.settings.shard)
            .write(to: &buffer)
        send()
    }

    /// Publishes what happened to workers.
    /// - Parameter first: the number of the first of them, since the start of this scheduler.
    mutating func publish(_ events: [SchedulerCore.WorkerEvent], first: UInt64, stamp: SessionStamp) {
        var start = 0
        while start < events.count {
            let part = events[start..<min(start + Limits.recordsInMessage, events.count)]
            begin(
                .workerEvents, fields: WorkerEventRecord.fields, recordLength: WorkerEventRecord.size, stamp,
                count: part.count)
            buffer.append(first + UInt64(start))
            for event in part {
                WorkerEventRecord(
                    event.type, incarnation: event.incarnation, at: event.at,
                    slots: UInt16(clamping: event.slots), name: event.name
                ).write(to: &buffer)
            }
            send()
            start += part.count
        }
    }

    private mutating func begin(
        _ type: MessageType, fields: Int, recordLength: Int, _ stamp: SessionStamp, count: Int
    ) {
        buffer.removeAll()
        Header(type, fields: fields, recordLength: recordLength, stamp: stamp, count: count).write(to: &buffer)
    }

    private mutating func send() {
        // An XPUB takes every message; it may drop it for some.
        guard (try? door.socket.send(buffer.bytes)) == .sent else { return counts.dropped += 1 }
        counts.messages += 1
    }
}

struct EventCounts {
    var messages: UInt64 = 0
    var events: UInt64 = 0
    var dropped: UInt64 = 0
}

/// Where each name stands in the table of the message that is being written: by the core's numbers, without a
/// look-up by text.
private struct NamePlaces {
    private struct Entry {
        var message: UInt64 = 0
        /// Of a worker: which incarnation; others follow at the same index.
        var number: UInt32 = 0
        var place: UInt16 = 0
    }

    private var kinds: [Entry] = []
    private var tenants: [Entry] = []
    private var workers: [Entry] = []
    /// Of workers that are gone.
    private var departed: [(number: UInt32, place: UInt16)] = []
    private var message: UInt64 = 0
    private(set) var count: UInt16 = 0

    mutating func begin() {
        message += 1
        count = 0
        departed.removeAll(keepingCapacity: true)
    }

    @inline(__always)
    mutating func kind(_ index: Int32, _ core: borrowing SchedulerCore, _ names: inout ByteBuffer) -> UInt16 {
        if let place = Self.place(index, 0, in: kinds, message) { return place }
        return Self.add(index, 0, to: &kinds, core.kindName(index), message, &count, &names)
    }

    @inline(__always)
    mutating func tenant(_ index: Int32, _ core: borrowing SchedulerCore, _ names: inout ByteBuffer) -> UInt16 {
        if let place = Self.place(index, 0, in: tenants, message) { return place }
        return Self.add(index, 0, to: &tenants, core.tenantName(index), message, &count, &names)
    }

    @inline(__always)
    mutating func worker(
        _ lease: CommitBatch.EndedLease, _ core: borrowing SchedulerCore, _ names: inout ByteBuffer
    ) -> UInt16 {
        let index = lease.workerIndex
        guard index >= 0 else { return EventRecord.noName }
        if let place = Self.place(index, lease.worker, in: workers, message) { return place }
        guard core.isPresent(lease) else { return departedWorker(lease, core, &names) }
        return Self.add(index, lease.worker, to: &workers, core.workerName(lease), message, &count, &names)
    }

    private mutating func departedWorker(
        _ lease: CommitBatch.EndedLease, _ core: borrowing SchedulerCore, _ names: inout ByteBuffer
    ) -> UInt16 {
        if let known = departed.first(where: { $0.number == lease.worker }) { return known.place }
        departed.append((lease.worker, count))
        return Self.append(core.workerName(lease), &count, &names)
    }

    @inline(__always)
    private static func place(_ index: Int32, _ number: UInt32, in entries: [Entry], _ message: UInt64) -> UInt16? {
        guard Int(index) < entries.count else { return nil }
        let entry = entries[Int(index)]
        return entry.message == message && entry.number == number ? entry.place : nil
    }

    private static func add(
        _ index: Int32, _ number: UInt32, to entries: inout [Entry], _ name: String, _ message: UInt64,
        _ count: inout UInt16, _ names: inout ByteBuffer
    ) -> UInt16 {
        while entries.count <= Int(index) { entries.append(Entry()) }
        entries[Int(index)] = Entry(message: message, number: number, place: count)
        return append(name, &count, &names)
    }

    private static func append(_ name: String, _ count: inout UInt16, _ names: inout ByteBuffer) -> UInt16 {
        names.append(UInt8(truncatingIfNeeded: name.utf8.count))
        names.append(name)
        count += 1
        return count - 1
    }
}
