import StatexClient
import StatexEvents
import StatexProtocol
import StatexWebhooks

/// What the relay heard and has not submitted yet, and how far everything before it is done. Pure.
///
/// A tenant that may submit nothing for now keeps a few of its deliveries waiting here and falls behind with the rest: the
/// others' go on, and its own are heard again from there when there is room.
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
    /// How many of them each tenant has.
    private var counts: [String: Int] = [:]
    /// How far was heard, of all tenants but those that are behind.
    private var front: EventPlace
    /// From where on a tenant's events are yet to be heard again.
    private var behind: [String: EventPlace] = [:]
    /// Those of them whose events are being heard again, each from there on.
    private var catchingUp: Set<String> = []
    /// Of journals that were restored since: what is of them is older than all that is not.
    private var formerIncarnations: Set<UInt64> = []

    /// Deliveries that wait: of one tenant that is held up, and of all that are not; and of all together.
    static let room = 1_000
    static let roomOfAll = 10_000

    init(at place: EventPlace) { front = place }

    /// - Parameter heldUp: tenants that may submit nothing for now.
    func hasRoom(besides heldUp: Set<String>) -> Bool {
        waiting.count - heldUp.reduce(0) { $0 + counts[$1, default: 0] } < Self.room
    }

    /// Where to go on after a crash: nothing before it waits, or is yet to be heard again.
    var cursor: EventPlace {
        (waiting.map(\.place) + behind.values).reduce(front) { isOlder($1, than: $0) ? $1 : $0 }
    }

    /// - Parameter isHeldUp: whether its tenant may submit nothing for now.
    mutating func hear(
        _ event: JobEvent, _ deliveries: [WebhookDelivery], trace: TraceContext? = nil, isHeldUp: Bool = false
    ) {
        let place = EventPlace(
            incarnation: event.sequence.incarnation,
            position: EventPosition(batch: event.sequence.batch, index: event.sequence.index))
        let next = EventPlace(
            incarnation: event.sequence.incarnation, position: EventPosition(after: event.sequence))
        meet(place.incarnation)
        let tenant = event.tenant
        let wasHeard = isOlder(place, than: behind[tenant] ?? front)
        let isLeftOut = behind[tenant] != nil && !catchingUp.contains(tenant)
        if !deliveries.isEmpty, !wasHeard, !isLeftOut {
            if isHeldUp, counts[tenant, default: 0] >= Self.room || waiting.count >= Self.roomOfAll {
                behind[tenant] = place
                catchingUp.remove(tenant)
            } else {
                waiting += deliveries.map { Waiting(delivery: $0, tenant: tenant, trace: trace, place: place) }
                counts[tenant, default: 0] += deliveries.count
                if behind[tenant] != nil { behind[tenant] = next }
            }
        }
        reach(next)
    }

    /// Nothing is to be heard before there.
    mutating func skip(to place: EventPlace) {
        meet(place.incarnation)
        for tenant in catchingUp {
            if let old = behind[tenant], isOlder(old, than: place) { behind[tenant] = place }
        }
        reach(place)
    }

    /// Where to hear again, once tenants that are behind have room; nil: none has.
    mutating func turnBack(besides heldUp: Set<String>) -> EventPlace? {
        let ready = behind.keys.filter {
            counts[$0] == nil && !heldUp.contains($0) && !catchingUp.contains($0)
        }
        guard !ready.isEmpty else { return nil }
        catchingUp.formUnion(ready)
        return catchingUp.compactMap { behind[$0] }.reduce(front) { isOlder($1, than: $0) ? $1 : $0 }
    }

    /// What is at these places is submitted.
    mutating func settle(_ places: Set<Int>) {
        for place in places {
            let tenant = waiting[place].tenant
            let left = counts[tenant, default: 0] - 1
            counts[tenant] = left > 0 ? left : nil
        }
        waiting = waiting.enumerated().filter { !places.contains($0.offset) }.map(\.element)
    }

    /// All before there was heard.
    private mutating func reach(_ place: EventPlace) {
        guard !isOlder(place, than: front) else { return }
        front = place
        for tenant in catchingUp { behind[tenant] = nil }
        catchingUp = []
    }

    private mutating func meet(_ incarnation: UInt64) {
        guard incarnation != front.incarnation, !formerIncarnations.contains(incarnation) else { return }
        formerIncarnations.insert(front.incarnation)
    }

    private func isOlder(_ place: EventPlace, than other: EventPlace) -> Bool {
        place.incarnation == other.incarnation
            ? place.position < other.position : formerIncarnations.contains(place.incarnation)
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
