import NIOCore
import NIOHTTPTypes

/// Closes a connection whose client takes nothing of what it is sent: it would be held, with what waits for it, for ever.
///
/// An answer may be one large write, through which the channel takes no other: what counts is whether less of it waits
/// than before, so one who reads slowly keeps the connection.
final class UntakenAnswerHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    private let patience: TimeAmount
    private var timer: Scheduled<Void>?

    init(patience: TimeAmount) { self.patience = patience }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        stop()
        if !context.channel.isWritable { watch(NIOLoopBound(context, eventLoop: context.eventLoop), waiting: .max) }
        context.fireChannelWritabilityChanged()
    }

    /// - Parameter waiting: how many bytes did when this was last looked at.
    private func watch(_ context: NIOLoopBound<ChannelHandlerContext>, waiting: Int) {
        let channel = context.value.channel
        let now = (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
        guard now < waiting else { return context.value.close(promise: nil) }
        let handler = NIOLoopBound(self, eventLoop: channel.eventLoop)
        timer = channel.eventLoop.scheduleTask(in: patience) { handler.value.watch(context, waiting: now) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { stop() }

    private func stop() {
        timer?.cancel()
        timer = nil
    }
}
