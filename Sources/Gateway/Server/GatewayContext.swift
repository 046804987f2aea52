import Hummingbird
import Logging
import NIOCore
import NIOHTTPTypes

/// What belongs to one HTTP request while it is answered.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Tells a client that asked before it sends its body to send it (RFC 9110, section 10.1.1).
    func goOn(_ request: Request) {
        guard request.headers[.expect]?.lowercased() == "100-continue" else { return }
        channel.writeAndFlush(HTTPResponsePart.head(HTTPResponse(status: .continue)), promise: nil)
    }

    /// Closes the connection, whatever is under way on it.
    var cut: @Sendable () -> Void { { [channel] in channel.close(promise: nil) } }
}
