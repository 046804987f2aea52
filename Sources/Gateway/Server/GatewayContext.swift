import Hummingbird
import Logging
import NIOCore

/// What belongs to one HTTP request while it is answered.
struct GatewayContext: RequestContext {
    var coreContext: CoreRequestContextStorage

    private let channel: any Channel

    init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
        channel = source.channel
    }

    /// Closes the connection, whatever is under way on it.
    var cut: @Sendable () -> Void { { [channel] in channel.close(promise: nil) } }
}
