import HTTPTypes
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import Testing

@testable import StatexGateway

struct UnwantedBodyTests {
    private let channel = EmbeddedChannel()

    init() throws {
        try channel.pipeline.syncOperations.addHandler(UnwantedBodyHandler(limit: 100))
        channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 80), promise: nil)
    }

    private func head() throws {
        try channel.writeInbound(
            HTTPRequestPart.head(HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/")))
    }

    private func body(_ count: Int) throws {
        try channel.writeInbound(HTTPRequestPart.body(ByteBuffer(repeating: 0, count: count)))
    }

    private func answer() throws {
        try channel.writeOutbound(HTTPResponsePart.head(HTTPResponse(status: .ok)))
        try channel.writeOutbound(HTTPResponsePart.end(nil))
    }

    @Test func `a body may be any length while it is wanted`() throws {
        try head()
        for _ in 0..<10 { try body(100) }
        #expect(channel.isActive)
    }

    @Test func `what is left of a refused body is read, up to its limit`() throws {
        try head()
        try body(500)
        try answer()
        try body(100)
        #expect(channel.isActive)
        try body(1)
        #expect(!channel.isActive)
    }

    @Test func `the next request begins anew, also one that was sent before the answer`() throws {
        try head()
        try answer()
        try body(100)
        try channel.writeInbound(HTTPRequestPart.end(nil))
        try head()
        try body(1_000)
        #expect(channel.isActive)
        try channel.writeInbound(HTTPRequestPart.end(nil))
        try head()
        // Of the second.
        try answer()
        try body(1_000)
        #expect(channel.isActive)
        // Of the third.
        try answer()
        try body(101)
        #expect(!channel.isActive)
    }
}
