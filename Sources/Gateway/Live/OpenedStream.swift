import HTTPTypes
import Hummingbird
import ServiceLifecycle
import StatexProtocol

/// A stream that listens already; letting go of it ends it.
struct OpenedStream: Sendable {
    let request: Request
    let membership: EventHub.Membership
    let seat: StreamSeats.Seat
    /// Whose it is.
    let subject: String
    /// The last event that its client has.
    let had: EventSequence?

    // A constant that is a valid name: the initializer gives nil for others only.
    private static let accelBuffering = HTTPField.Name("X-Accel-Buffering")!

    /// Sends what the listener hears, until that is over, the client goes, or the gateway ends.
    /// - Parameters:
    ///   - first: what it begins with, before anything that was heard meanwhile.
    ///   - replaying: tells then what was missed.
    ///   - feeding: tells the listener more.
    func response(
        first: [UInt8],
        replaying: @escaping @Sendable (Listener, ([UInt8]) async throws -> Void) async throws -> Void = { _, _ in },
        feeding: @escaping @Sendable (Listener) async -> Void = { _ in }
    ) -> Response {
        let opened = self
        let body = ResponseBody { writer in
            let listener = opened.membership.listener
            try await opened.request.body.consumeWithInboundCloseHandler { _ in
                try await withGracefulShutdownHandler {
                    try await writer.write(ByteBuffer(bytes: first))
                    try await replaying(listener) { try await writer.write(ByteBuffer(bytes: $0)) }
                    async let _ = feeding(listener)
                    while let bytes = await listener.box.next() { try await writer.write(bytes) }
                } onGracefulShutdown: {
                    listener.box.end()
                }
            } onInboundClosed: {
                listener.box.end()
            }
            try await writer.finish(nil)
            _ = opened.seat
        }
        // Proxies that gather answers would hold events back.
        return Response(
            status: .ok, headers: [.contentType: ServerSentEvent.type, Self.accelBuffering: "no"], body: body)
    }
}
