import Glibc
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import NIOEmbedded
import StatexMetrics
import Testing

@testable import StatexGateway

struct GoneSenderTests {
    @Test(arguments: [IOError(errnoCode: ECONNRESET, reason: "read"), ChannelError.ioOnClosedChannel] as [any Error])
    func `a sender that goes away in the middle is no fault of the gateway`(error: any Error) async throws {
        let counts = RequestCounts()
        let middleware = ProblemMiddleware(paths: PathTable([]), headers: SecurityHeaders(tls: false), counts: counts)
        let context = GatewayContext(
            source: ApplicationRequestContextSource(channel: EmbeddedChannel(), logger: Scene.logger))
        let request = Request(
            head: HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/v1/requests"),
            body: .init(buffer: ByteBuffer()))
        let response = try await middleware.handle(request, context: context) { _, _ in throw error }
        #expect(response.status == .badRequest)
    }
}
