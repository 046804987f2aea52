import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request body comes slower than anything that means well: `HTTPConnectionStateHandler`
/// sees silence, this one sees a trickle. Only time in which more was asked for counts: a server that is slow to
/// take what came does not blame the sender.
final class SlowBodyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let window: TimeAmount
    private let leastBytes: Int
    private var timer: Scheduled<Void>?
    private var received = 0
    /// How long of this window nobody asked for more, and since when nobody has, if so.
    private var unasked: TimeAmount = .zero
    private var unaskedSince: NIODeadline?

    init(window: TimeAmount, bytesPerSecond: Int) {
        self.window = window
        leastBytes = bytesPerSecond * Int(window.nanoseconds / 1_000_000_000)
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func read(context: ChannelHandlerContext) {
        settle(at: context.eventLoop.now)
        unaskedSince = nil
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head: start(context)
        case .body(let bytes): received += bytes.readableBytes
        case .end: stop()
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        // Whoever takes bytes eagerly asks again at once.
        unaskedSince = context.eventLoop.now
        context.fireChannelReadComplete()
    }

    private func settle(at now: NIODeadline) {
        guard let since = unaskedSince else { return }
        unasked = unasked + (now - since)
        unaskedSince = now
    }

    private func start(_ context: ChannelHandlerContext) {
        received = 0
        unasked = .zero
        if unaskedSince != nil { unaskedSince = context.eventLoop.now }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer?.cancel()
        timer = context.eventLoop.scheduleTask(in: window) {
            let (handler, context) = bound.value
            handler.judge(context)
        }
    }

    private func judge(_ context: ChannelHandlerContext) {
        timer = nil
        settle(at: context.eventLoop.now)
        // A tenth, for what others do on this thread.
        if received < leastBytes, unasked.nanoseconds < window.nanoseconds / 10 {
            context.close(promise: nil)
        } else {
            start(context)
        }
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }
}
