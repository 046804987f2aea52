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
    /// Whether bytes were asked for at every moment of this window.
    private var wanted = false
    private var isAsking = false

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
        isAsking = true
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
        isAsking = false
        context.fireChannelReadComplete()
        // Whoever takes bytes eagerly has asked again by now.
        if !isAsking { wanted = false }
    }

    private func start(_ context: ChannelHandlerContext) {
        received = 0
        wanted = true
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        timer?.cancel()
        timer = context.eventLoop.scheduleTask(in: window) {
            let (handler, context) = bound.value
            handler.judge(context)
        }
    }

    private func judge(_ context: ChannelHandlerContext) {
        timer = nil
        if wanted, received < leastBytes {
            context.close(promise: nil)
        } else {
            start(context)
            wanted = isAsking
        }
    }

    private func stop() {
        timer?.cancel()
        timer = nil
    }
}
