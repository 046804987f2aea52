// Turns events into deliveries: jobs that a worker runs (docs/webhooks.md).
//
// It follows the events from a place that Postgres keeps, and moves that place only behind what was submitted durably.
// Each delivery has a key that follows from its event and its subscription's secret, so that what is submitted again,
// after a crash or by another gateway, is the same job. One gateway relays at a time; the others stand by.

import Dispatch
import Logging
import ServiceLifecycle
import StatexClient
import StatexEvents
import StatexKeys
import StatexMetrics
import StatexPostgres
import StatexProtocol
import StatexThreads
import StatexWebhooks
import Synchronization

final class WebhookRelay: Service {
    private let settings: WebhookSettings
    private let endpoint: String
    private let keys: PeerKeys?
    private let journalURL: String
    private let scheduler: SchedulerLink
    private let logger: Logger
    private let state = Mutex(State())
    /// Signalled at the end, for a thread that rests.
    private let ended = DispatchSemaphore(value: 0)

    private struct State {
        var isClosed = false
        /// The place from which on nothing is missed is known.
        var isPlaced = false
        var figures = WebhookSnapshot()
        /// What was said, and when.
        var complaints: [String: ContinuousClock.Instant] = [:]
    }

    /// The journal may be away for as long as it wants: no event is given up.
    private static let patienceSeconds: Int64 = 3_155_760_000
    /// How often the place is written down: what is submitted again after a crash is known by its key.
    private static let savePeriod = Duration.seconds(1)
    /// How often a place that has not moved is, so that others see that somebody looks after it.
    private static let lookPeriod = Duration.seconds(5)
    private static let sweepPeriod = Duration.seconds(3_600)
    private static let requestsAtOnce = 256
    /// How long a tenant that may submit nothing is left alone: others wait for the answer to it each time.
    private static let restOfTenant = Duration.seconds(15)
    private static let silence = Duration.seconds(60)

    init(
        _ settings: WebhookSettings, endpoint: String, keys: PeerKeys? = nil, journalURL: String,
        scheduler: SchedulerLink, logger: Logger
    ) {
        self.settings = settings
        self.endpoint = endpoint
        self.keys = keys
        self.journalURL = journalURL
        self.scheduler = scheduler
        self.logger = logger
    }

    /// Whether what ends from now on is told, though the relay may start later.
    var isPlaced: Bool { state.withLock { $0.isPlaced } || settings.isEmpty }

    /// What it says of itself; nil: there are no webhooks.
    var snapshot: WebhookSnapshot? { settings.isEmpty ? nil : state.withLock { $0.figures } }

    func run() async throws {
        guard !settings.isEmpty else {
            try? await gracefulShutdown()
            return
        }
        let end = AsyncStream.makeStream(of: Void.self)
        NamedThread("webhooks") { [self] in
            work()
            end.continuation.finish()
        }.detach()
        try? await gracefulShutdown()
        state.withLock { $0.isClosed = true }
        ended.signal()
        for await _ in end.stream {}
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    private func rest(seconds: Int = 1) { _ = ended.wait(timeout: .now() + .seconds(seconds)) }

    // MARK: The thread

    private func work() {
        while !isClosed {
            var seconds = 1
            do { seconds = try relay() } catch { complain("webhooks: \(error)") }
            if !isClosed { rest(seconds: seconds) }
        }
    }

    /// Says the same trouble once a minute, not once a second.
    private func complain(_ text: String) {
        let now = ContinuousClock.now
        let isNew = state.withLock { state in
            state.complaints = state.complaints.filter { now - $0.value < Self.silence }
            guard state.complaints[text] == nil else { return false }
            state.complaints[text] = now
            return true
        }
        if isNew { logger.warning("\(text)") }
    }

    /// Relays until the end, once it is this gateway's turn.
    /// - Returns: after how many seconds it may try again. By then it has let go of the lock.
    private func relay() throws -> Int {
        let ledger = try WebhookLedger(url: journalURL)
        var hasLock = false
        while true {
            // Noted as soon as there is a journal, whoever relays: from there on nothing is missed.
            let isPlaced = try ledger.cursor() != nil
            state.withLock { $0.isPlaced = isPlaced }
            hasLock = try isPlaced && ledger.takeLock()
            if try hasLock || isPlaced && ledger.isAbandoned() { break }
            rest()
            if isClosed { return 0 }
        }
        guard let start = try ledger.cursor(), try ledger.advance(from: start, to: start) else { return 1 }
        state.withLock { $0.figures.isRelaying = true }
        defer {
            state.withLock {
                $0.figures.isRelaying = false
                $0.figures.waiting = 0
            }
        }
        try ledger.sweep()
        var follower = try follower(from: start)
        var outbox = WebhookOutbox(at: start)
        var resting: [String: ContinuousClock.Instant] = [:]
        var saved = (place: start, at: ContinuousClock.now)
        var sweptAt = ContinuousClock.now
        while !isClosed {
            resting = resting.filter { [now = ContinuousClock.now] in $0.value > now }
            let heldUp = Set(resting.keys)
            if let place = outbox.turnBack(besides: heldUp) { follower = try self.follower(from: place) }
            let isIdle = outbox.waiting.allSatisfy { heldUp.contains($0.tenant) }
            if outbox.hasRoom(besides: heldUp) {
                try hear(follower.next(milliseconds: isIdle ? 500 : 0), &outbox, besides: heldUp, ledger)
            }
            if !isIdle, !submit(&outbox, &resting) { rest() }
            let now = ContinuousClock.now
            state.withLock { [count = outbox.waiting.count] in $0.figures.waiting = count }
            let period = outbox.cursor == saved.place ? Self.lookPeriod : Self.savePeriod
            if now - saved.at >= period {
                guard try ledger.advance(from: saved.place, to: outbox.cursor) else {
                    // Time enough for the other one to take the lock.
                    complain("webhooks: another gateway relays")
                    return WebhookLedger.silenceSeconds
                }
                saved = (outbox.cursor, now)
                if !hasLock { hasLock = try ledger.takeLock() }
            }
            if now - sweptAt >= Self.sweepPeriod {
                try ledger.sweep()
                sweptAt = now
            }
        }
        _ = try ledger.advance(from: saved.place, to: outbox.cursor)
        return 0
    }

    private func follower(from place: EventPlace) throws -> EventFollower {
        EventFollower(
            endpoint, keys: keys, journal: journalURL, from: .at(place.incarnation, place.position),
            patienceSeconds: Self.patienceSeconds, in: try ProcessContext.shared())
    }

    /// - Parameter heldUp: tenants that may submit nothing for now.
    private func hear(
        _ news: EventFollower.News, _ outbox: inout WebhookOutbox, besides heldUp: Set<String>,
        _ ledger: borrowing WebhookLedger
    ) throws {
        if let trouble = news.trouble { complain("webhooks: \(trouble)") }
        let heard = news.part.map(settings.concerned) ?? []
        var told = heard.map(\.request)
        for case .event(let event) in news.others where settings.concerns(event) { told.append(event.request) }
        let details = told.isEmpty ? [:] : try ledger.details(of: told)
        func hear(_ event: JobEvent) {
            let more = details[event.request]
            outbox.hear(
                event, settings.deliveries(of: event, named: more?.target), trace: more?.trace,
                isHeldUp: heldUp.contains(event.tenant))
        }
        for event in heard { hear(event) }
        if let part = news.part {
            outbox.skip(to: EventPlace(incarnation: part.incarnation, position: part.end))
        }
        for item in news.others {
            switch item {
            case .event(let event): hear(event)
            case .gap(let gap):
                logger.error(
                    "webhooks: events from \(gap.from.batch) to \(gap.to.batch) are gone, nobody is told of them")
                outbox.skip(to: EventPlace(incarnation: gap.incarnation, position: gap.to))
            case .worker, .journalChanged: break
            }
        }
    }

    /// Submits the first that wait, but for tenants that rest.
    /// - Returns: false: none of them could be.
    private func submit(
        _ outbox: inout WebhookOutbox, _ resting: inout [String: ContinuousClock.Instant]
    ) -> Bool {
        var requests: [(place: Int, request: Request)] = []
        for (place, item) in outbox.waiting.enumerated()
        where requests.count < Self.requestsAtOnce && resting[item.tenant] == nil {
            if let request = request(for: item) {
                requests.append((place, request))
            } else {
                resting[item.tenant] = .now + Self.restOfTenant
            }
        }
        var settled: Set<Int> = []
        var submitted: UInt64 = 0
        for (item, answer) in zip(requests, submit(requests.map(\.request))) {
            if case .failure(.busy) = answer { resting[item.request.tenant] = .now + Self.restOfTenant }
            switch WebhookFate(answer) {
            case .submitted: submitted += 1
            case .open: continue
            case .givenUp(let reason):
                logger.error("webhooks: \(outbox.waiting[item.place].delivery.id) is not delivered: \(reason)")
            }
            settled.insert(item.place)
        }
        state.withLock { [submitted, givenUp = UInt64(settled.count) - submitted] in
            $0.figures.submitted += submitted
            $0.figures.givenUp += givenUp
        }
        outbox.settle(settled)
        return !settled.isEmpty
    }

    private func request(for item: WebhookOutbox.Waiting) -> Request? {
        guard let subscription = settings.subscription(item.delivery.subscription, of: item.tenant) else { return nil }
        do throws(WebhookSecretError) {
            return item.request(by: try subscription.readSecrets())
        } catch {
            complain("webhooks.\(subscription.name): \(error)")
            return nil
        }
    }

    /// Waits for the answers. This is a thread of the relay's own.
    private func submit(_ requests: [Request]) -> [Swift.Result<RequestHandle, ClientError>] {
        guard !requests.isEmpty, let client = try? scheduler.client() else { return [] }
        final class Answers: Sendable { let list = Mutex<[Swift.Result<RequestHandle, ClientError>]>([]) }
        let answers = Answers()
        let arrived = DispatchSemaphore(value: 0)
        Task {
            let list = await client.submitEach(requests)
            answers.list.withLock { $0 = list }
            arrived.signal()
        }
        arrived.wait()
        return answers.list.withLock { $0 }
    }
}
