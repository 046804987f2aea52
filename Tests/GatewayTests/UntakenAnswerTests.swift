import NIOCore
import NIOEmbedded
import Testing

@testable import StatexGateway

struct UntakenAnswerTests {
    private func channel() throws -> EmbeddedChannel {
        let channel = EmbeddedChannel(handler: UntakenAnswerHandler(patience: .seconds(60)))
        try channel.connect(to: .init(unixDomainSocketPath: "/x")).wait()
        return channel
    }

    private func become(_ isWritable: Bool, _ channel: EmbeddedChannel) {
        channel.isWritable = isWritable
        channel.pipeline.fireChannelWritabilityChanged()
    }

    @Test func `who takes nothing for so long loses the connection`() throws {
        let channel = try channel()
        become(false, channel)
        channel.embeddedEventLoop.advanceTime(by: .seconds(59))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
    }

    @Test func `who reads slowly keeps it through one answer, however long that takes`() throws {
        let channel = try channel()
        channel.write(ByteBuffer(repeating: 0, count: 1_000), promise: nil)
        become(false, channel)
        // The channel takes no more all the while; some of what waits goes out.
        for left in [900, 400, 399, 1] {
            channel.embeddedEventLoop.advanceTime(by: .seconds(59))
            channel.flush()
            channel.write(ByteBuffer(repeating: 0, count: left), promise: nil)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1))
            #expect(channel.isActive)
        }
        // And then no more of it.
        channel.embeddedEventLoop.advanceTime(by: .seconds(60))
        #expect(!channel.isActive)
    }

    @Test func `who takes a little now and then keeps it`() throws {
        let channel = try channel()
        for _ in 0..<5 {
            become(false, channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(50))
            become(true, channel)
            channel.embeddedEventLoop.advanceTime(by: .seconds(1_000))
        }
        #expect(channel.isActive)
        _ = try channel.finish()
    }
}
