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

    /// Returns when what was written before has come to the connection: who writes then waits if that is full. A busy
    /// connection hears late that it is, and until then takes all that it is given.
    var settle: @Sendable () async throws -> Void {
        { [channel] in try await channel.eventLoop.submit {}.get() }
    }

    /// Closes the connection, whatever is under way on it.
    var cut: @Sendable () -> Void { { [channel] in channel.close(promise: nil) } }
}
