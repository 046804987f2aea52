import StatexClient
import StatexEvents
import StatexProtocol
import StatexWebhooks
import Testing

@testable import StatexGateway

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
            #expect(outbox.hasRoom)
            outbox.hear(Self.event(batch: batch), [Self.delivery()])
        }
        #expect(!outbox.hasRoom)
        outbox.settle([1])
        #expect(outbox.hasRoom && outbox.cursor == Self.place(1))
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
}
