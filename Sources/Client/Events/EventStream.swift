import StatexKeys
import StatexProtocol
import StatexZeroMQ
import Synchronization

/// What a subscriber hears, in order.
public enum EventNews: Sendable, Equatable {
    case event(JobEvent)
    case worker(WorkerEvent)
    /// Events were missed: the reader, the network or the scheduler was away. The journal has them.
    case gap(EventGap)
    /// The journal was restored and goes on under another incarnation: what was heard of commits that it does not
    /// have is void.
    case journalChanged(from: UInt64, to: UInt64)
}

/// The scheduler's events, as they become durable: an endless sequence for one reader.
///
///     for await news in try EventStream("ipc:///run/statex/events.sock") {
///         if case .event(let event) = news, event.type == .requestCompleted { print(event.request) }
///     }
///
/// It connects again by itself. Nothing waits for a slow reader: what it has no room for is missed, and told as a gap.
public struct EventStream: AsyncSequence, Sendable {
    public typealias Element = EventNews

    private let subscription: Following

    /// - Parameters:
    ///   - endpoint: where the scheduler publishes (key `events_endpoint`), as ZeroMQ writes it.
    ///   - after: the last event that the reader had; what it missed since is told as a gap.
    ///   - keyFile: a gateway's or an operator's key, for a `tcp://` endpoint; with the scheduler's public one.
    public init(
        _ endpoint: String, after: EventSequence? = nil, keyFile: String? = nil, schedulerKeyFile: String? = nil
    ) throws(ClientError) {
        let keys = try PeerKeys.checked(keyFile, schedulerKeyFile, for: endpoint)
        subscription = try Following(endpoint, after: after, keys: keys, context: try ProcessContext.shared())
    }

    public func makeAsyncIterator() -> Iterator { Iterator(subscription: subscription) }

    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let subscription: Following
        private var pending: ArraySlice<EventNews> = []

        fileprivate init(subscription: Following) { self.subscription = subscription }

        /// - Returns: nil: the task was cancelled, or the socket failed for good.
        public mutating func next() async -> EventNews? {
            while pending.isEmpty {
                guard let news = await subscription.box.next() else { return nil }
                pending = news[...]
            }
            return pending.popFirst()
        }
    }

    /// Holds the thread that listens; letting go of it ends it.
    fileprivate final class Following: Sendable {
        let box: EventBox

        init(
            _ endpoint: String, after: EventSequence?, keys: PeerKeys?, context: ZeroMQContext
        ) throws(ClientError) {
            let box: EventBox
            do { box = try EventBox() } catch { throw .unreachable(error.description) }
            self.box = box
            NamedThread("statex-events") {
                var cursor = after.map { EventCursor(after: $0) } ?? EventCursor()
                var receiver = EventReceiver(endpoint, keys: keys, in: context)
                while box.isWanted {
                    guard box.hasRoom else {
                        // What the socket has no room for either is dropped there, and seen as a gap.
                        box.wakeup.wait(milliseconds: 1_000)
                        continue
                    }
                    do throws(ZeroMQError) {
                        guard let message = try receiver.next(milliseconds: 1_000, or: box.wakeup) else { continue }
                        box.put(cursor.news(of: message))
                    } catch {
                        return box.close()
                    }
                }
            }.detach()
        }

        deinit { box.close() }
    }
}

extension EventCursor {
    /// What a reader is told of a message.
    package mutating func news(of message: EventMessage) -> [EventNews] {
        switch message {
        case .workers(let events): return events.map { .worker($0) }
        case .events(let part):
            var news: [EventNews] = []
            while true {
                switch look(at: part) {
                case .nothing: return news
                case .journalChanged(let before, _):
                    news.append(.journalChanged(from: before, to: part.incarnation))
                case .gap(let gap):
                    news.append(.gap(gap))
                    filled(to: gap.to)
                case .events(let first):
                    return news + part.from(first).events.map { .event($0) }
                }
            }
        }
    }
}

/// Between the thread that listens and the task that reads: a few messages.
private final class EventBox: Sendable {
    private struct State {
        var messages: [[EventNews]] = []
        var isClosed = false
        var reader: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())
    let wakeup: Wakeup

    private static let room = 64

    init() throws(WakeupError) { wakeup = try Wakeup() }

    var isWanted: Bool { state.withLock { !$0.isClosed } }
    var hasRoom: Bool { state.withLock { $0.messages.count < Self.room } }

    func put(_ news: [EventNews]) {
        guard !news.isEmpty else { return }
        wake { $0.messages.append(news) }
    }

    func close() {
        wake { $0.isClosed = true }
        wakeup.signal()
    }

    private func wake(_ change: (inout State) -> Void) {
        let reader = state.withLock { state in
            change(&state)
            defer { state.reader = nil }
            return state.reader
        }
        reader?.resume()
    }

    func next() async -> [EventNews]? {
        await withTaskCancellationHandler {
            while true {
                let (news, isClosed) = state.withLock { state -> ([EventNews]?, Bool) in
                    if state.isClosed { return (nil, true) }
                    return (state.messages.isEmpty ? nil : state.messages.removeFirst(), false)
                }
                if let news {
                    wakeup.signal()
                    return news
                }
                if isClosed { return nil }
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        let isReady = state.isClosed || !state.messages.isEmpty
                        if !isReady { state.reader = continuation }
                        return isReady
                    }
                    if isReady { continuation.resume() }
                }
            }
        } onCancel: {
            close()
        }
    }
}
