import NIOCore
import NIOPosix
import StatexClient
import StatexEvents
import StatexProtocol
import StatexWebhooks
import Testing

@testable import StatexGateway

private struct Chance: RandomNumberGenerator {
    var state: UInt64

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Which deliveries an event has, and from where the relay goes on after a crash.
struct WebhookTests {
    private static func event(
        _ type: EventType = .requestCompleted, batch: UInt64 = 1, index: UInt32 = 0, tenant: String = "acme",
        kind: String = "text"
    ) -> JobEvent {
        JobEvent(
            type, sequence: EventSequence(incarnation: 7, batch: batch, index: index), id: JobID(rawValue: 42),
            request: JobID(rawValue: 42), index: 0, kind: kind, tenant: tenant, worker: nil, number: 3, ending: nil,
            at: 1_795_703_412_104_233)
    }

    private static func place(_ batch: UInt64, _ index: UInt32 = 0) -> EventPlace {
        EventPlace(incarnation: 7, position: EventPosition(batch: batch, index: index))
    }

    private static func delivery(_ name: String = "a") -> WebhookDelivery {
        WebhookDelivery(id: name, subscription: name, url: "https://h/", body: "{}")
    }

    private static func settings(
        url: String? = "https://h/", events: Set<EventType> = [.requestCompleted, .requestFailed, .requestCancelled]
    ) -> WebhookSettings {
        WebhookSettings([
            WebhookSubscription(name: "one", tenant: "acme", url: url, events: events) {
                () throws(WebhookSecretError) in throw WebhookSecretError("none")
            }
        ])
    }

    @Test func `it goes on before the first delivery that waits, and behind the last event when none does`() {
        var outbox = WebhookOutbox(at: Self.place(1))
        #expect(outbox.cursor == Self.place(1))
        outbox.hear(Self.event(batch: 1, index: 4), [])
        #expect(outbox.cursor == Self.place(1, 5))
        outbox.hear(Self.event(batch: 2, index: 1), [Self.delivery("a"), Self.delivery("b")])
        outbox.hear(Self.event(batch: 3, index: 0), [Self.delivery("c")])
        outbox.hear(Self.event(batch: 9, index: 0), [])
        #expect(outbox.cursor == Self.place(2, 1))
        // The first is submitted; its neighbour of the same event is not.
        outbox.settle([0, 2])
        #expect(outbox.waiting.map(\.delivery.id) == ["b"] && outbox.cursor == Self.place(2, 1))
        outbox.settle([0])
        #expect(outbox.waiting.isEmpty && outbox.cursor == Self.place(9, 1))
        outbox.skip(to: Self.place(20))
        #expect(outbox.cursor == Self.place(20))
    }

    @Test func `it takes in no more than there is room for`() {
        var outbox = WebhookOutbox(at: Self.place(1))
        for batch in 1...UInt64(WebhookOutbox.room) {
            #expect(outbox.hasRoom(besides: []))
            outbox.hear(Self.event(batch: batch), [Self.delivery()])
        }
        #expect(!outbox.hasRoom(besides: ["other"]) && outbox.hasRoom(besides: ["acme"]))
        outbox.settle([1])
        #expect(outbox.hasRoom(besides: []) && outbox.cursor == Self.place(1))
    }

    @Test func `a tenant that is held up falls behind alone, and is heard again when it has room`() {
        let (room, all) = (UInt64(WebhookOutbox.room), UInt64(WebhookOutbox.room) + 500)
        var outbox = WebhookOutbox(at: Self.place(1))
        func hear(from first: UInt64, isHeldUp: Bool) {
            for batch in first...all {
                outbox.hear(Self.event(batch: batch), [Self.delivery("acme \(batch)")], isHeldUp: isHeldUp)
                outbox.hear(Self.event(batch: batch, index: 1, tenant: "other"), [Self.delivery("other \(batch)")])
                if let last = outbox.waiting.indices.last, outbox.waiting[last].tenant == "other" {
                    outbox.settle([last])
                }
            }
        }
        hear(from: 1, isHeldUp: true)
        #expect(outbox.waiting.count == WebhookOutbox.room && outbox.hasRoom(besides: ["acme"]))
        #expect(outbox.cursor == Self.place(1) && outbox.turnBack(besides: []) == nil)
        outbox.settle(Set(outbox.waiting.indices))
        #expect(outbox.cursor == Self.place(room + 1) && outbox.turnBack(besides: ["acme"]) == nil)
        #expect(outbox.turnBack(besides: []) == Self.place(room + 1) && outbox.turnBack(besides: []) == nil)
        hear(from: room + 1, isHeldUp: false)
        // The other's, which were submitted, are not submitted again.
        #expect(outbox.waiting.map(\.delivery.id) == (room + 1...all).map { "acme \($0)" })
        #expect(outbox.cursor == Self.place(room + 1))
        outbox.settle(Set(outbox.waiting.indices))
        #expect(outbox.cursor == Self.place(all, 2) && outbox.turnBack(besides: []) == nil)
    }

    @Test(arguments: 1...8)
    func `however tenants are held up, each delivery is submitted once, and the place stays before the rest`(seed: Int)
    {
        var random = Chance(state: UInt64(seed))
        let tenants = ["a", "b", "c"]
        let events = (1...12_000).map {
            Self.event(batch: UInt64($0), tenant: tenants.randomElement(using: &random) ?? "a")
        }
        var outbox = WebhookOutbox(at: Self.place(1))
        var submitted: Set<UInt64> = []
        var heldUp: Set<String> = []
        var heard = 0
        var steps = 0
        while submitted.count < events.count, steps < 100_000 {
            steps += 1
            // In the end nobody is.
            heldUp = steps < 300 ? heldUp : []
            if steps % 10 == 0, steps < 300 { heldUp = Set(tenants.filter { _ in Bool.random(using: &random) }) }
            if let place = outbox.turnBack(besides: heldUp) { heard = Int(place.position.batch) - 1 }
            if outbox.hasRoom(besides: heldUp) {
                for event in events[heard..<min(heard + 300, events.count)] {
                    let delivery = Self.delivery(String(event.sequence.batch))
                    outbox.hear(event, [delivery], isHeldUp: heldUp.contains(event.tenant))
                    heard += 1
                }
            }
            var settled: Set<Int> = []
            for (place, item) in outbox.waiting.enumerated() where !heldUp.contains(item.tenant) && settled.count < 200
            {
                settled.insert(place)
                #expect(submitted.insert(item.place.position.batch).inserted)
            }
            outbox.settle(settled)
            let first = events.first { !submitted.contains($0.sequence.batch) }
            if let first { #expect(outbox.cursor.position.batch <= first.sequence.batch) }
        }
        #expect(submitted.count == events.count && outbox.cursor == Self.place(12_000, 1))
    }

    @Test func `told are the ends of a tenant's requests, as it wants, and not those of deliveries`() {
        let all = Self.settings()
        for type in EventType.allCases {
            let isEnd = [.requestCompleted, .requestFailed, .requestCancelled].contains(type)
            #expect(all.deliveries(of: Self.event(type), named: nil).count == (isEnd ? 1 : 0), "\(type)")
        }
        #expect(all.deliveries(of: Self.event(tenant: "other"), named: nil).isEmpty)
        #expect(all.deliveries(of: Self.event(kind: WebhookDelivery.kind), named: nil).isEmpty)
        let some = Self.settings(events: [.requestFailed])
        #expect(some.deliveries(of: Self.event(), named: nil).isEmpty)
        #expect(some.deliveries(of: Self.event(.requestFailed), named: nil).count == 1)
    }

    @Test func `a URL that a request named is told by its own tenant's signer alone`() {
        let named = WebhookLedger.Target(tenant: "acme", url: "https://named/")
        let signer = Self.settings(url: nil)
        #expect(signer.deliveries(of: Self.event(), named: named).map(\.url) == ["https://named/"])
        #expect(signer.deliveries(of: Self.event(), named: nil).isEmpty)
        let others = WebhookLedger.Target(tenant: "other", url: "https://named/")
        #expect(signer.deliveries(of: Self.event(), named: others).isEmpty)
        #expect(Self.settings().deliveries(of: Self.event(), named: named).map(\.url) == ["https://h/"])
        #expect(Self.settings().signer(of: "acme") == nil && signer.signer(of: "acme")?.name == "one")
    }

    @Test func `what is told follows from the event alone`() throws {
        let first = try #require(Self.settings().deliveries(of: Self.event(), named: nil).first)
        #expect(Self.settings().deliveries(of: Self.event(), named: nil) == [first])
        #expect(
            first.body == """
                {"type":"request.completed","timestamp":"2026-11-26T14:30:12.104233Z","data":{"id":"42","tenant":"acme",\
                "kind":"text","jobs":3,"state":"succeeded","sequence":"7-1-0"}}
                """)
        #expect(first.id == WebhookDelivery.id(of: "7-1-0", to: "one", "https://h/"))
    }

    @Test func `a delivery is submitted under a key that its tenant cannot foretell`() throws {
        let secrets = try WebhookSecrets("whsec_" + String(repeating: "A", count: 32))
        let item = WebhookOutbox.Waiting(
            delivery: Self.delivery("7-1-0-ab"), tenant: "acme", trace: nil, place: Self.place(1))
        let request = item.request(by: secrets)
        #expect(request.tenant == "acme" && request.key == item.delivery.key(by: secrets))
        #expect(request.key?.contains("7-1-0") == false && request.key == item.request(by: secrets).key)
        #expect(request.key?.utf8.count ?? .max <= Limits.userKeyBytes)
    }

    @Test func `a key that something else has is no delivery`() {
        #expect(WebhookFate(ClientError.keyConflict("taken")) == .givenUp("taken"))
        #expect(WebhookFate(ClientError.invalid("no")) == .givenUp("no"))
        #expect(WebhookFate(ClientError.busy("full")) == .open && WebhookFate(ClientError.closed) == .open)
    }

    @Test func `a submit that names a URL does not wait for ever for a journal that hangs`() async throws {
        // It takes connections, and never says a word.
        let silent = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .bind(host: "127.0.0.1", port: 0).get()
        let port = try #require(silent.localAddress?.port)
        let signer = WebhookSubscription(name: "one", tenant: "acme", url: nil, events: [.requestCompleted]) {
            () throws(WebhookSecretError) in try WebhookSecrets("whsec_" + String(repeating: "A", count: 32))
        }
        let targets = WebhookTargets(
            WebhookSettings([signer]), journalURL: "postgresql://statex@127.0.0.1:\(port)/statex",
            patience: .milliseconds(100))
        // The second finds the only thread hanging.
        for _ in 0..<2 {
            let refusal = await #expect(throws: Problem.self) {
                _ = try await targets.tag("https://receiver.example.com/hook", of: "acme")
            }
            #expect(refusal?.status == .serviceUnavailable && refusal?.code == "journal_away")
            #expect(refusal?.headers[.retryAfter] != nil)
        }
        targets.close()
        try await silent.close()
    }
}
