import StatexClient
import StatexEvents
import StatexProtocol
import StatexWebhooks

/// What the relay heard and has not submitted yet, and how far everything before it is done. Pure.
struct WebhookOutbox {
    /// One message that is yet to be submitted.
    struct Waiting {
        let delivery: WebhookDelivery
        let tenant: String
        /// The trace that the request belongs to.
        let trace: TraceContext?
        /// Where its event stands.
        let place: EventPlace
    }

    private(set) var waiting: [Waiting] = []
    /// How far was heard.
    private var heard: EventPlace

    /// One tenant that may submit nothing holds the others up only when it has so many.
    static let room = 1_000

    init(at place: EventPlace) { heard = place }

    var hasRoom: Bool { waiting.count < Self.room }

    /// Where to go on after a crash: nothing before it waits.
    var cursor: EventPlace { waiting.first?.place ?? heard }

    mutating func hear(_ event: JobEvent, _ deliveries: [WebhookDelivery], trace: TraceContext? = nil) {
        let place = EventPlace(
            incarnation: event.sequence.incarnation,
            position: EventPosition(batch: event.sequence.batch, index: event.sequence.index))
        waiting += deliveries.map { Waiting(delivery: $0, tenant: event.tenant, trace: trace, place: place) }
        heard = EventPlace(
            incarnation: event.sequence.incarnation, position: EventPosition(after: event.sequence))
    }

    /// Nothing is to be heard before there.
    mutating func skip(to place: EventPlace) { heard = place }

    /// What is at these places is submitted.
    mutating func settle(_ places: Set<Int>) {
        waiting = waiting.enumerated().filter { !places.contains($0.offset) }.map(\.element)
    }
}

extension WebhookSettings {
    /// Whether an event is told to anybody. What becomes of deliveries themselves is not.
    func concerns(_ event: JobEvent) -> Bool {
        event.type.endsRequest && event.kind != WebhookDelivery.kind && !subscriptions(of: event.tenant).isEmpty
    }

    /// The events of a part that are told to somebody: the others are not even made.
    func concerned(by part: EventPart) -> [JobEvent] {
        part.packed.lazy
            .filter { $0.record.type.endsRequest && !subscriptions(of: part.name($0.record.tenant) ?? "").isEmpty }
            .map(part.event).filter(concerns)
    }

    /// What is sent because of an event.
    /// - Parameter named: the URL that its request named.
    func deliveries(of event: JobEvent, named: WebhookLedger.Target?) -> [WebhookDelivery] {
        guard concerns(event) else { return [] }
        return subscriptions(of: event.tenant).compactMap { subscription in
            guard subscription.events.contains(event.type),
                let url = subscription.url ?? (named?.tenant == event.tenant ? named?.url : nil)
            else { return nil }
            return WebhookDelivery(
                id: WebhookDelivery.id(of: event.sequence.description, to: subscription.name, url),
                subscription: subscription.name, url: url, body: event.webhookBody)
        }
    }
}

extension JobEvent {
    /// As Standard Webhooks has it: type, time, and what happened. It follows from the journal alone, so that whoever
    /// makes it again makes the same.
    fileprivate var webhookBody: String {
        var text = JSONText()
        text.object {
            $0.member("type", type.name)
            $0.member("timestamp", timeText(at))
            $0.object("data") {
                $0.member("id", request.description)
                $0.member("tenant", tenant)
                $0.member("kind", kind)
                if let jobs { $0.member("jobs", jobs) }
                $0.member("state", type.requestState)
                $0.member("sequence", sequence.description)
            }
        }
        return String(decoding: text.bytes, as: UTF8.self)
    }
}

extension EventType {
    fileprivate var endsRequest: Bool { isOfRequest && self != .requestCreated }

    fileprivate var requestState: String {
        switch self {
        case .requestCompleted: "succeeded"
        case .requestFailed: "failed"
        case .requestCancelled: "cancelled"
        case .requestCreated, .jobLeased, .jobRetried, .jobSucceeded, .jobFailed, .jobDead, .jobCancelled, .jobExpired,
            .workerJoined, .workerLeft, .workerLost:
            "open"
        }
    }
}
