// What happens, for all streams of this gateway: one subscription to the scheduler however many listen, and none
// while nobody does.

import Logging
import ServiceLifecycle
import StatexClient
import StatexEvents
import StatexKeys
import StatexPostgres
import StatexProtocol
import StatexReads
import StatexThreads
import StatexZeroMQ
import Synchronization

final class EventHub: Service {
    private enum Standing {
        case off
        /// The thread looks for the place to begin; these wait for it, each by a number of its own.
        case beginning([Int: CheckedContinuation<Void, Never>])
        /// It listens; everything before the place was told, all of it behind it will be.
        case at(EventPlace)
    }

    private struct State {
        var standing = Standing.off
        var waiters = 0
        var audience = Audience()
        /// Since when nobody listens.
        var lonelySince: ContinuousClock.Instant?
        var isClosed = false
    }

    private let state = Mutex(State())
    private let endpoint: String
    private let keys: PeerKeys?
    private let journalURL: String
    private let memory: StatusMemory
    private let patience: Duration
    private let logger: Logger
    private let began = ContinuousClock.now
    /// Read what streams missed: a few at once, so that a gateway that starts again does not fall upon the journal.
    private let replays: JournalThreads<EventHistory>
    private let replayPatience: Duration
    private let replaySeats = StreamSeats(limit: GatewayLimits.replaysOfSubject)

    /// - Parameters:
    ///   - memory: told everything first.
    ///   - patience: how long somebody who joins waits for a journal that hangs.
    ///   - replayPatience: and somebody who missed something.
    init(
        endpoint: String, keys: PeerKeys? = nil, journalURL: String, memory: StatusMemory,
        patience: Duration = GatewayLimits.patience, replayPatience: Duration = JournalLimits.patience, logger: Logger
    ) {
        self.endpoint = endpoint
        self.keys = keys
        self.journalURL = journalURL
        self.memory = memory
        self.patience = patience
        self.logger = logger
        self.replayPatience = replayPatience
        replays = JournalThreads(
            "replays", threads: GatewayLimits.replaysAtOnce, capacity: GatewayLimits.replays, patience: replayPatience
        ) { () throws(ReadError) in
            do throws(PostgresError) {
                return try EventHistory(url: journalURL, limit: JournalLimits.statement)
            } catch {
                throw ReadError(error)
            }
        }
    }

    /// Keeps the streams alive until the gateway ends.
    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await Task.sleep(for: GatewayLimits.heartbeat)
                self.beat()
            }
        }
        close()
    }

    /// Ends every stream.
    func close() {
        state.withLock { state in
            state.isClosed = true
            state.audience.forEach { $0.box.end() }
        }
        replays.close()
    }

    // MARK: Listening

    /// A listener's being there; letting go of it ends it.
    final class Membership: Sendable {
        let listener: Listener
        /// From where on it hears everything.
        let start: EventPlace
        private let hub: EventHub

        fileprivate init(_ listener: Listener, from start: EventPlace, of hub: EventHub) {
            self.listener = listener
            self.start = start
            self.hub = hub
        }

        deinit { hub.leave(listener) }
    }

    func join(_ listener: Listener) async throws(Problem) -> Membership {
        let deadline = ContinuousClock.now + patience
        // It may be about to stop for want of listeners.
        for _ in 0..<3 where .now < deadline {
            await stand(until: deadline)
            let start: EventPlace? = state.withLock { state in
                guard case .at(let place) = state.standing, !state.isClosed else { return nil }
                state.audience.add(listener)
                return place
            }
            if let start { return Membership(listener, from: start, of: self) }
        }
        throw .unavailable("the journal does not answer, and with it no events", code: "journal_away")
    }

    private func leave(_ listener: Listener) {
        listener.box.end()
        state.withLock { $0.audience.remove(listener) }
    }

    /// Whether the journal has come as far as this event, which the hub has not. Who was at another gateway may be
    /// ahead; nobody is ahead of the journal.
    func hasCome(to sequence: EventSequence, of subject: String) async throws(Problem) -> Bool {
        try await read(of: subject, while: { true }) { history throws(PostgresError) in
            guard let end = try history.end() else { return false }
            return end.incarnation != sequence.incarnation || EventPosition(after: sequence) <= end.position
        }
    }

    /// Reads a part of what was missed.
    typealias Read<T> = @Sendable (EventReplay, inout EventHistory) throws(PostgresError) -> T

    /// What a stream missed, read by one of a few threads, on which subjects take turns.
    /// - Parameter isWanted: asked now and then; otherwise nobody waits for it any more.
    func replay<T: Sendable>(
        after sequence: EventSequence, to end: EventPlace, of subject: String,
        while isWanted: @escaping @Sendable () -> Bool = { true }, _ body: @escaping Read<T>
    ) async throws(Problem) -> T {
        let until = ContinuousClock.now + replayPatience
        let isWanted: @Sendable () -> Bool = { .now < until && isWanted() }
        let replay = EventReplay(after: sequence, to: end, while: isWanted)
        return try await read(of: subject, while: isWanted) { history throws(PostgresError) in
            try body(replay, &history)
        }
    }

    private func read<T: Sendable>(
        of subject: String, while isWanted: @escaping @Sendable () -> Bool,
        _ body: @escaping @Sendable (inout EventHistory) throws(PostgresError) -> T
    ) async throws(Problem) -> T {
        let seat = try replaySeat(of: subject)
        defer { withExtendedLifetime(seat) {} }
        do throws(ReadError) {
            return try await replays.ask(of: subject, while: isWanted) { history, _ throws(ReadError) in
                do throws(PostgresError) { return try body(&history) } catch { throw ReadError(error) }
            }
        } catch {
            // Those who are refused are many.
            if error != .busy { logger.warning("events could not be read again: \(error)") }
            throw Problem(error)
        }
    }

    private func replaySeat(of subject: String) throws(Problem) -> StreamSeats.Seat {
        do throws(Problem) { return try replaySeats.take(subject) } catch {
            let limit = GatewayLimits.replaysOfSubject
            throw .tooMany("\(limit) streams of \(subject) wait for what they missed, which is the limit", seconds: 5)
        }
    }

    /// Returns once the place is known, nobody found it, or it is too late.
    private func stand(until deadline: ContinuousClock.Instant) async {
        let number = state.withLock { state in
            state.waiters += 1
            return state.waiters
        }
        let timer = Task {
            guard (try? await Task.sleep(until: deadline)) != nil else { return }
            stopWaiting(number)
        }
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                // The timer may have found nobody to tell yet.
                guard .now < deadline else { return true }
                switch state.standing {
                case .at: return true
                case .beginning(var waiters):
                    waiters[number] = continuation
                    state.standing = .beginning(waiters)
                case .off:
                    guard !state.isClosed else { return true }
                    state.standing = .beginning([number: continuation])
                    // Who waits is not in the audience yet: the loneliness before is over.
                    state.lonelySince = nil
                    NamedThread("events") { [self] in listen() }.detach()
                }
                return false
            }
            if isReady { continuation.resume() }
        }
        timer.cancel()
    }

    private func stopWaiting(_ number: Int) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard case .beginning(var waiters) = state.standing else { return nil }
            let waiter = waiters.removeValue(forKey: number)
            state.standing = .beginning(waiters)
            return waiter
        }
        waiter?.resume()
    }

    private func become(_ standing: Standing) {
        let waiters = state.withLock { state in
            defer { state.standing = standing }
            if case .beginning(let waiters) = state.standing { return waiters }
            return [:]
        }
        for waiter in waiters.values { waiter.resume() }
    }

    // MARK: The thread

    private func listen() {
        do {
            let end = try EventHistory(url: journalURL).end()
            var follower = try follower(from: .now)
            // Who subscribes is told where the stream stands. What was committed before is not read in the journal:
            // under a full load that takes longer than it took to happen.
            let until = ContinuousClock.now + GatewayLimits.firstWord
            while follower.place == nil, .now < until { _ = try follower.next(milliseconds: 100) }
            if let place = follower.place {
                become(.at(place))
            } else {
                // The scheduler is away: what it does before it is heard stands in the journal.
                follower = try self.follower(from: end.map { .at($0.incarnation, $0.position) } ?? .now)
                let none = EventPlace(incarnation: 0, position: EventPosition(batch: 0))
                become(.at(end.map { EventPlace(incarnation: $0.incarnation, position: $0.position) } ?? none))
            }
            let hearing = memory.begin()
            defer { memory.end(hearing) }
            while isWanted() { tell(try follower.next(milliseconds: 1_000)) }
        } catch {
            logger.warning("events: \(error)")
            become(.off)
            // They come again, and find out whether it goes on.
            state.withLock { $0.audience.forEach { $0.box.end() } }
        }
    }

    private func follower(from start: EventStart) throws -> EventFollower {
        EventFollower(
            endpoint, keys: keys, journal: journalURL, from: start, mostSecondsBehind: GatewayLimits.secondsBehind,
            in: try ProcessContext.shared())
    }

    /// Whether to go on. Listeners come and go: without any it goes on for a while.
    private func isWanted() -> Bool {
        state.withLock { state in
            let now = ContinuousClock.now
            state.lonelySince = state.audience.count > 0 ? nil : state.lonelySince ?? now
            let isLonely = state.lonelySince.map { now - $0 > GatewayLimits.hubLinger } ?? false
            if isLonely || state.isClosed { state.standing = .off }
            return !isLonely && !state.isClosed
        }
    }

    private func tell(_ news: EventFollower.News) {
        guard !news.isEmpty else { return }
        memory.hear(news)
        let second = (ContinuousClock.now - began).components.seconds
        state.withLock { state in
            guard case .at(var place) = state.standing else { return }
            if let part = news.part {
                state.audience.hear(part, at: second)
                place = EventPlace(incarnation: part.incarnation, position: part.end)
            }
            for item in news.others {
                switch item {
                case .event(let event):
                    state.audience.hear(event, at: second)
                    place = EventPlace(
                        incarnation: event.sequence.incarnation, position: EventPosition(after: event.sequence))
                case .worker:
                    let block = ServerSentEvent.block(item)
                    state.audience.forEachWithWorkers { $0.box.put(block) }
                case .gap(let gap):
                    let block = ServerSentEvent.block(item, because: news.trouble)
                    state.audience.forEach { $0.box.put(block) }
                    place = EventPlace(incarnation: gap.incarnation, position: gap.to)
                case .journalChanged(_, let incarnation):
                    let block = ServerSentEvent.block(item)
                    state.audience.forEach { $0.box.put(block) }
                    place = EventPlace(incarnation: incarnation, position: EventPosition(batch: 0))
                }
            }
            state.standing = .at(place)
        }
    }

    private func beat() {
        state.withLock { state in
            guard case .at(let place) = state.standing else { return }
            let sequence = place.sequence
            state.audience.forEach { $0.beat(sequence) }
        }
    }
}
