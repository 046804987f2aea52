import NIOCore
import NIOHTTPTypes

/// Closes a connection whose request was answered and whose body goes on and on. The server reads what is left of a body
/// and throws it away, so that the sender hears the answer: here is how far.
final class UnwantedBodyHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private let limit: Int
    /// Requests that are not answered: a client may send the next before it has the answer to the first.
    private var unanswered = 0
    private var bodyIsComing = false
    private var isUnwanted = false
    private var thrownAway = 0

    init(limit: Int) { self.limit = limit }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head:
            unanswered += 1
            bodyIsComing = true
            isUnwanted = false
            thrownAway = 0
        case .body(let bytes) where isUnwanted:
            thrownAway += bytes.readableBytes
            guard thrownAway <= limit else { return context.close(promise: nil) }
        case .body: break
        case .end: bodyIsComing = false
        }
        context.fireChannelRead(data)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) {
            unanswered -= 1
            isUnwanted = bodyIsComing && unanswered == 0
        }
        context.write(data, promise: promise)
    }
}
