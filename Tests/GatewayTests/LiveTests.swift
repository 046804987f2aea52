import Logging
import NIOCore
import NIOPosix
import StatexClient
import StatexEvents
import StatexProtocol
import Testing

@testable import StatexGateway

/// What lies between the hub and a stream's connection.
struct LiveTests {
    private func text(_ bytes: NIOCore.ByteBuffer?) -> String? { bytes.map { String(buffer: $0) } }

    private func event(
        _ type: EventType, _ id: UInt64 = 4096, of request: UInt64 = 4096, tenant: String = "acme", index: UInt32 = 0
    ) -> JobEvent {
        JobEvent(
            type, sequence: EventSequence(incarnation: 7, batch: 9, index: index), id: JobID(rawValue: id),
            request: JobID(rawValue: request), index: UInt16(id - request), kind: "text", tenant: tenant, worker: nil,
            number: 1, ending: nil, at: 0)
    }

    private func listener(_ interest: Interest, had: EventSequence? = nil) -> Listener {
        Listener(interest, had: had, box: StreamBox(limit: 1_000, cut: {}))
    }

    // MARK: The box

    @Test func `what was put is taken at once, and then the end`() async {
        let box = StreamBox(limit: 100, cut: {})
        box.put(Array("a".utf8))
        box.put(Array("b".utf8))
        box.end()
        box.put(Array("late".utf8))
        #expect(text(await box.next()) == "ab")
        #expect(await box.next() == nil)
    }

    @Test func `who is too far behind is cut off, and nobody waits for it`() async {
        await confirmation { cut in
            let box = StreamBox(limit: 100, cut: { cut() })
            for _ in 0..<50 { box.put([UInt8](repeating: 0x61, count: 60)) }
            #expect(await box.next() == nil)
        }
    }

    @Test func `one piece may be larger than all that may wait`() async {
        let box = StreamBox(limit: 100, cut: {})
        box.put([UInt8](repeating: 0x61, count: 10_000))
        #expect(await box.next()?.readableBytes == 10_000)
    }

    @Test func `a patient writer waits until everything was taken`() async {
        let box = StreamBox(limit: 10, cut: {})
        box.put(Array("first".utf8))
        async let written: Void = box.putWhenEmpty([UInt8](repeating: 0x62, count: 100))
        #expect(text(await box.next()) == "first")
        await written
        #expect(await box.next()?.readableBytes == 100)
    }

    @Test func `a reader that is cancelled waits no more, and neither does a writer`() async {
        let box = StreamBox(limit: 10, cut: {})
        let reading = Task { await box.next() }
        reading.cancel()
        #expect(await reading.value == nil)
        let other = StreamBox(limit: 10, cut: {})
        other.put([0x61])
        let writing = Task { await other.putWhenEmpty([0x62]) }
        writing.cancel()
        await writing.value
    }

    // MARK: The listener

    @Test func `a listener hears what it is about, and nothing else`() async {
        let request = JobID(rawValue: 4096)
        let all = [
            event(.requestCreated), event(.jobLeased, 4097), event(.jobLeased, 8192, of: 8192, tenant: "globex"),
        ]
        for (interest, heard) in [
            (Interest.request(request), 2), (.job(JobID(rawValue: 4097), of: request), 1),
            (.job(request, of: request), 0),
            (.everything(tenant: nil, kind: nil, withWorkers: true), 3),
            (.everything(tenant: "globex", kind: nil, withWorkers: false), 1),
            (.everything(tenant: "acme", kind: "audio", withWorkers: false), 0),
        ] {
            let listener = listener(interest)
            for event in all { listener.hear(event) { [0x2E] } }
            listener.box.end()
            #expect(await listener.box.next()?.readableBytes ?? 0 == heard, "\(interest)")
        }
    }

    /// As it is heard.
    private func part(_ events: [JobEvent]) -> EventPart {
        let names = Set(events.flatMap { [$0.kind, $0.tenant] }).sorted()
        func place(_ name: String) -> UInt16 { UInt16(names.firstIndex(of: name) ?? 0) }
        let packed = events.map { event in
            EventPart.Packed(
                index: event.sequence.index,
                EventRecord(
                    event.type, id: event.id.rawValue, request: event.request.rawValue, at: event.at,
                    kind: place(event.kind), tenant: place(event.tenant),
                    number: UInt16(event.attempt ?? event.jobs ?? 0), index: UInt16(event.index ?? 0)))
        }
        let head = EventsHead(batch: 9, after: 8, first: 0, total: events.count, at: 0, shard: 0)
        return EventPart(
            incarnation: 7, epoch: 1, head: head, count: UInt32(events.count), packed: packed, names: names)
    }

    @Test func `an audience finds who is concerned, whether it hears or reads, and forgets who left`() async {
        let events = [
            event(.requestCreated), event(.jobLeased, 4097, index: 1),
            event(.jobLeased, 8192, of: 8192, tenant: "globex", index: 2),
            event(.requestCreated, 12_288, of: 12_288, index: 3),
        ]
        let part = part(events)
        #expect(Array(part.events) == events)
        let cases: [(Interest, [Int])] = [
            (.request(JobID(rawValue: 4096)), [0, 1]), (.job(JobID(rawValue: 4097), of: JobID(rawValue: 4096)), [1]),
            (.everything(tenant: "acme", kind: nil, withWorkers: false), [0, 1, 3]),
            (.everything(tenant: nil, kind: nil, withWorkers: true), [0, 1, 2, 3]),
            (.everything(tenant: nil, kind: "text", withWorkers: false), [0, 1, 2, 3]),
            (.everything(tenant: "globex", kind: "text", withWorkers: false), [2]),
            (.everything(tenant: "globex", kind: "audio", withWorkers: false), []),
            (.request(JobID(rawValue: 8192)), [2]), (.request(JobID(rawValue: 16_384)), []),
        ]
        var audience = Audience()
        for isHeard in [true, false] {
            let listeners = cases.map { Listener($0.0, had: nil, box: StreamBox(limit: 10_000, cut: {})) }
            for listener in listeners { audience.add(listener) }
            #expect(audience.count == cases.count)
            if isHeard { audience.hear(part, at: 1) } else { for event in events { audience.hear(event, at: 1) } }
            var withWorkers = 0
            audience.forEachWithWorkers { _ in withWorkers += 1 }
            #expect(withWorkers == 1)
            for listener in listeners { audience.remove(listener) }
            audience.remove(listeners[0])
            #expect(audience.count == 0)
            audience.hear(part, at: 1)
            for (listener, (interest, places)) in zip(listeners, cases) {
                listener.box.end()
                let told = text(await listener.box.next()) ?? ""
                let expected = places.map { String(decoding: ServerSentEvent.block(.event(events[$0])), as: UTF8.self) }
                #expect(told == expected.joined(), "\(interest)")
            }
        }
    }

    @Test func `streams of the same names are thinned out alike, and who comes later is told of it`() async {
        func listener(_ kind: String?) -> Listener {
            Listener(
                .everything(tenant: nil, kind: kind, withWorkers: false), had: nil,
                box: StreamBox(limit: 10_000_000, cut: {}))
        }
        var audience = Audience()
        let (first, other) = (listener(nil), listener("rare"))
        audience.add(first)
        audience.add(other)
        let many = (0..<UInt32(3 * GatewayLimits.streamEventsPerSecond)).map { number in
            event(.jobLeased, UInt64(number + 1) * 4096, of: UInt64(number + 1) * 4096, index: number)
        }
        audience.hear(part(many), at: 1)
        let late = listener(nil)
        audience.add(late)
        for listener in [first, other, late] { listener.box.end() }
        let told = text(await first.box.next()) ?? ""
        #expect(told.contains(#""one_in":2"#) && told.contains(#""one_in":4"#))
        let shown = told.split(separator: "event: job.leased").count - 1
        #expect(shown > GatewayLimits.streamEventsPerSecond && shown < many.count)
        #expect(await other.box.next() == nil)
        #expect(
            text(await late.box.next())
                == String(
                    decoding: ServerSentEvent.sampled(oneIn: 8, above: GatewayLimits.streamEventsPerSecond),
                    as: UTF8.self))
    }

    @Test func `what a client had of another gateway it does not hear again`() async {
        let listener = listener(
            .request(JobID(rawValue: 4096)), had: EventSequence(incarnation: 7, batch: 9, index: 1))
        for index: UInt32 in 0...2 { listener.hear(event(.jobLeased, index: index)) { [UInt8(index)] } }
        listener.box.end()
        #expect(await listener.box.next().map { Array($0.readableBytesView) } == [2])
    }

    @Test func `a stream ends with its last event, once what its jobs put out is told`() async {
        let listener = listener(.request(JobID(rawValue: 4096)))
        listener.willHearOutput()
        listener.hear(event(.requestCompleted)) { Array("last".utf8) }
        listener.box.put(Array("output ".utf8))
        #expect(text(await listener.box.next()) == "output ")
        listener.box.put(Array("more ".utf8))
        listener.heardOutput()
        #expect(text(await listener.box.next()) == "more last")
        #expect(await listener.box.next() == nil)
    }

    @Test func `the last event does not wait for ever for what its jobs put out`() async {
        let listener = listener(.request(JobID(rawValue: 4096)))
        listener.willHearOutput()
        listener.hear(event(.requestCompleted)) { Array("last".utf8) }
        listener.beat(nil, at: .now + GatewayLimits.lastOutput + .seconds(1))
        #expect(text(await listener.box.next()) == "last")
        #expect(await listener.box.next() == nil)
    }

    @Test func `a beat says how far the stream is, and waits behind nothing`() async {
        let listener = listener(.request(JobID(rawValue: 4096)))
        listener.beat(EventSequence(incarnation: 7, batch: 9, index: 1))
        listener.beat(EventSequence(incarnation: 7, batch: 9, index: 2))
        listener.box.end()
        #expect(text(await listener.box.next()) == "id: 7-9-1\n: here\n\n")
    }

    @Test func `a stream ends after its time, and who does not take the end is cut off`() async {
        await confirmation { cut in
            let box = StreamBox(limit: 1_000, cut: { cut() })
            let listener = Listener(.request(JobID(rawValue: 4096)), had: nil, box: box)
            let start = ContinuousClock.now
            box.put(Array("last".utf8))
            listener.beat(nil, at: start + GatewayLimits.streamLifetime + .seconds(10))
            #expect(text(await box.next()) == "last")
            #expect(await box.next() == nil)
            listener.beat(nil, at: start + GatewayLimits.streamLifetime + .seconds(120))
        }
    }

    // MARK: Sampling

    @Test func `up to the stated rate a stream is whole; above it whole requests are left out, and it says so`() {
        var sampler = Sampler(limit: 100)
        var shown = 0
        var changes: [Int] = []
        for id in 0..<3_200 {
            let answer = sampler.admit(JobID(rawValue: UInt64(id) * 4), at: 1)
            if answer.hasChanged { changes.append(sampler.share) }
            if id < 100 { #expect(answer.isShown) }
            shown += answer.isShown ? 1 : 0
        }
        #expect(changes == [2, 4, 8, 16, 32, 64])
        #expect((150...400).contains(shown))
        // Those that are left out at a share are left out at every larger one.
        let again = (0..<50).map { sampler.admit(JobID(rawValue: 12), at: 2 + Int64($0 % 1)).isShown }
        #expect(Set(again).count == 1)
        // Two quiet seconds, and it is whole again.
        _ = sampler.admit(JobID(rawValue: 4), at: 3)
        #expect(sampler.admit(JobID(rawValue: 4), at: 5).isShown && sampler.share == 1)
    }

    @Test(arguments: [1_500, 40_000, 1_000_000])
    func `what a busy first second shows fits into what a client may be behind`(events: Int) {
        var sampler = Sampler(limit: GatewayLimits.streamEventsPerSecond)
        let shown = (0..<events).count { sampler.admit(JobID(rawValue: UInt64($0) * 4_096), at: 1).isShown }
        #expect(shown >= GatewayLimits.streamEventsPerSecond)
        #expect(shown * 250 <= Interest.everything(tenant: nil, kind: nil, withWorkers: false).patience)
    }

    @Test func `no line of a block is broken`() {
        let block = ServerSentEvent.block("job.state", Array("{\"a\":\r\n1}".utf8))
        #expect(String(decoding: block, as: UTF8.self) == "event: job.state\ndata: {\"a\":  1}\n\n")
    }

    // MARK: Seats

    @Test func `a subject has so many streams, and gets one back when one ends`() throws {
        let seats = StreamSeats(limit: 2)
        var held = [try seats.take("ada"), try seats.take("ada"), try seats.take("bob")]
        let refusal = #expect(throws: Problem.self) { try seats.take("ada") }
        #expect(refusal?.status == .tooManyRequests && refusal?.headers[.retryAfter] == "5")
        held.removeFirst()
        held.append(try seats.take("ada"))
        #expect(throws: Problem.self) { try seats.take("ada") }
        #expect(held.count == 3)
    }

    // MARK: The hub

    /// Takes connections, and never says a word.
    private func silent() async throws -> (channel: any Channel, url: String) {
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(channel.localAddress?.port)
        return (channel, "postgresql://statex@127.0.0.1:\(port)/statex")
    }

    @Test func `nobody waits for ever for a journal that hangs`() async throws {
        let silent = try await silent()
        let hub = EventHub(
            endpoint: "ipc:///nowhere", journalURL: silent.url, memory: StatusMemory(), patience: .milliseconds(100),
            logger: Logger(label: "test"))
        for _ in 0..<2 {
            await #expect(throws: Problem.self) {
                _ = try await hub.join(listener(.everything(tenant: nil, kind: nil, withWorkers: false)))
            }
        }
        hub.close()
        try await silent.channel.close()
    }

    @Test func `what was missed is waited for so long, and by so many streams of one subject`() async throws {
        let silent = try await silent()
        let hub = EventHub(
            endpoint: "ipc:///nowhere", journalURL: silent.url, memory: StatusMemory(), replayPatience: .seconds(2),
            logger: Scene.logger)
        let had = EventSequence(incarnation: 7, batch: 9, index: 1)
        let end = EventPlace(incarnation: 7, position: EventPosition(batch: 12))
        @Sendable func replay(_ subject: String) async -> Problem? {
            do throws(Problem) {
                _ = try await hub.replay(after: had, to: end, of: subject) { _, _ in 0 }
                return nil
            } catch {
                return error
            }
        }
        let refusals = await withTaskGroup(of: (String, Problem?).self) { group in
            for _ in 0...GatewayLimits.replaysOfSubject { group.addTask { ("greedy", await replay("greedy")) } }
            group.addTask { ("modest", await replay("modest")) }
            return await group.reduce(into: [String: [Problem?]]()) { $0[$1.0, default: []].append($1.1) }
        }
        let greedy = refusals["greedy"] ?? []
        #expect(greedy.count { $0?.status == .tooManyRequests } == 1)
        #expect(greedy.count { $0?.code == "journal_away" } == GatewayLimits.replaysOfSubject)
        #expect(refusals["modest"]?.map { $0?.status } == [.serviceUnavailable])
        #expect(greedy.allSatisfy { $0?.headers[.retryAfter] != nil })
        // Who was answered has its place back.
        #expect(await replay("greedy")?.status == .serviceUnavailable)
        hub.close()
        try await silent.channel.close()
    }
}
