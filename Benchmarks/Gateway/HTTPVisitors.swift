import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// Connections to a gateway, as bare as can be, so that who measures costs little beside what is measured.
struct HTTPVisitors: Sendable {
    let host: String
    let port: Int
    let token: String
    private let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    /// - Parameter url: such as `http://127.0.0.1:8420`.
    init?(url: String, token: String) {
        let parts = url.split(separator: ":")
        guard parts.count == 3, parts[0] == "http", parts[1].hasPrefix("//"), let port = Int(parts[2]) else {
            return nil
        }
        host = String(parts[1].dropFirst(2))
        self.port = port
        self.token = token
    }

    func close() async { try? await threads.shutdownGracefully() }

    fileprivate func get(_ path: String) -> HTTPRequestHead {
        HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: ["Host": "\(host):\(port)", "Authorization": "Bearer \(token)"])
    }

    private func connect(_ handler: @escaping @Sendable () -> any ChannelHandler) async throws -> any Channel {
        try await ClientBootstrap(group: threads)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(handler())
                }
            }
            .connect(host: host, port: port).get()
    }

    /// Opens a stream of events, and returns once it listens.
    func listen(_ path: String, into count: HeardCount) async throws {
        let head = get(path)
        let opened = threads.next().makePromise(of: Void.self)
        _ = try await connect { StreamHandler(head, count, opened) }
        try await opened.futureResult.get()
    }

    /// Asks again and again over one connection until `end`: once in `period`, or as soon as it is answered if that is
    /// later.
    /// - Parameter next: the path to ask for.
    func ask(
        every period: Duration, from start: ContinuousClock.Instant, until end: ContinuousClock.Instant,
        into count: AnswerCount, next: @escaping @Sendable () -> String
    ) async throws {
        let rhythm = AskHandler.Rhythm(start: start, period: period, end: end)
        let channel = try await connect { AskHandler(rhythm, count) { [self] in get(next()) } }
        try await channel.closeFuture.get()
    }
}

/// What was answered to those who ask.
final class AnswerCount: Sendable {
    struct Counts: Sendable {
        /// Before the end.
        var answered = 0
        /// Not 200, or no answer.
        var failed = 0
        var microseconds: [Int32] = []
        var trouble: String?

        /// - Parameter share: 0.5 of them were answered within.
        func milliseconds(_ share: Double) -> Double {
            guard !microseconds.isEmpty else { return 0 }
            let sorted = microseconds.sorted()
            return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]) / 1_000
        }
    }

    private let state = Mutex(Counts())
    var counts: Counts { state.withLock { $0 } }
    func count(_ change: (inout Counts) -> Void) { state.withLock { change(&$0) } }
}

/// One stream of events.
private final class StreamHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private let head: HTTPRequestHead
    private let count: HeardCount
    private let opened: EventLoopPromise<Void>
    private var scanner = StreamScanner { $0 == "sampled" }
    private var last: (batch: UInt64, index: UInt32) = (0, 0)

    struct Refused: Error { let status: UInt }

    private static let once: Set = ["request.created", "job.succeeded", "request.completed"]

    init(_ head: HTTPRequestHead, _ count: HeardCount, _ opened: EventLoopPromise<Void>) {
        self.head = head
        self.count = count
        self.opened = opened
    }

    func channelActive(context: ChannelHandlerContext) {
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.status == .ok else { return fail(Refused(status: head.status.code), context) }
        case .body(let buffer): hear(buffer)
        case .end:
            count.count { $0.isOver = true }
            context.close(promise: nil)
        }
    }

    private func hear(_ buffer: ByteBuffer) {
        opened.succeed()
        var counts = HeardCount.Counts()
        scanner.scan(buffer.readableBytesView) { block in
            guard case .event(let name, let id, let data) = block else { return }
            if let id {
                let isNews = (id.batch, id.index) > last
                counts.events += isNews && Self.once.contains(name) ? 1 : 0
                counts.leases += isNews && name == "job.leased" ? 1 : 0
                counts.repeats += isNews ? 0 : 1
                if isNews { last = (id.batch, id.index) }
            }
            if name == "gap" { counts.gaps += 1 }
            if name == "sampled" {
                counts.sampled += 1
                counts.mostSampled = max(counts.mostSampled, Self.share(data))
            }
        }
        count.count { sum in
            sum.isOpen = true
            sum.bytes += buffer.readableBytes
            sum.events += counts.events
            sum.leases += counts.leases
            sum.repeats += counts.repeats
            sum.gaps += counts.gaps
            sum.sampled += counts.sampled
            sum.mostSampled = max(sum.mostSampled, counts.mostSampled)
        }
    }

    private static func share(_ json: String) -> Int {
        guard let start = json.firstRange(of: #""one_in":"#)?.upperBound else { return 0 }
        return Int(json[start...].prefix { $0.isNumber }) ?? 0
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context) }

    func channelInactive(context: ChannelHandlerContext) {
        opened.fail(ChannelError.eof)
        count.count { if !$0.isOver { $0.trouble = $0.trouble ?? "the gateway closed it" } }
    }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        opened.fail(error)
        count.count { $0.trouble = $0.trouble ?? "\(error)" }
        context.close(promise: nil)
    }
}

/// One connection of somebody who asks how things stand.
private final class AskHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    struct Rhythm: Sendable {
        let start: ContinuousClock.Instant
        let period: Duration
        let end: ContinuousClock.Instant
    }

    private let rhythm: Rhythm
    private let count: AnswerCount
    private let next: () -> HTTPRequestHead
    private var due: ContinuousClock.Instant
    private var asked: ContinuousClock.Instant?
    private var isGood = false
    /// The time is over.
    private var isDone = false

    init(_ rhythm: Rhythm, _ count: AnswerCount, _ next: @escaping () -> HTTPRequestHead) {
        self.rhythm = rhythm
        self.count = count
        self.next = next
        due = rhythm.start
    }

    func channelActive(context: ChannelHandlerContext) { wait(context) }

    /// Until it is time to ask again.
    private func wait(_ context: ChannelHandlerContext) {
        guard due < rhythm.end, .now < rhythm.end else {
            isDone = true
            return context.close(promise: nil)
        }
        let left = max(.zero, due - .now)
        let delay = left.components.seconds * 1_000_000_000 + left.components.attoseconds / 1_000_000_000
        context.eventLoop.assumeIsolated().scheduleTask(in: .nanoseconds(delay)) { self.ask(context) }
        due += rhythm.period
    }

    private func ask(_ context: ChannelHandlerContext) {
        guard context.channel.isActive else { return }
        asked = .now
        context.write(wrapOutboundOut(.head(next())), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            isGood = head.status == .ok
            if !isGood { count.count { $0.trouble = $0.trouble ?? "\(head.status)" } }
        case .body: break
        case .end:
            let took = asked.map { ContinuousClock.now - $0 } ?? .zero
            asked = nil
            let isInTime = ContinuousClock.now < rhythm.end
            count.count { counts in
                counts.answered += isGood && isInTime ? 1 : 0
                counts.failed += isGood ? 0 : 1
                counts.microseconds.append(Int32(clamping: Int64(took / .microseconds(1))))
            }
            wait(context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // Of a connection that is done with, the decoder complains.
        if !isDone { count.count { $0.trouble = $0.trouble ?? "\(error)" } }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if asked != nil { count.count { $0.failed += 1 } }
    }
}
