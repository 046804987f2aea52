import NIOCore
import NIOPosix
import NIOSSL
import Synchronization

/// A connection on which bytes go in as an attacker would write them.
final class RawConnection: Sendable {
    /// How it speaks TLS; nil: not at all.
    private let tls: NIOSSLContext?
    private let shown = Mutex<[UInt8]?>(nil)

    init(tls: NIOSSLContext? = nil) { self.tls = tls }

    /// The certificate that the server showed, whose authority is not looked at.
    var certificate: [UInt8]? { shown.withLock { $0 } }

    /// What comes back up to the end of a head, or of the connection.
    func answer(to bytes: [UInt8], at port: Int) async throws -> String {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .connect(host: "127.0.0.1", port: port) { [self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(handler(tls)) }
                    return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            // The gateway may close before it has taken everything.
            try? await outbound.write(ByteBuffer(bytes: bytes))
            var text = ""
            do {
                for try await piece in inbound {
                    text += String(buffer: piece)
                    if text.contains("\r\n\r\n") { break }
                }
            } catch is IOError {
                // Reset: what came before it is the answer.
            } catch is NIOSSLError {
                // No handshake, or no end as TLS has it.
            }
            return text
        }
    }

    private func handler(_ tls: NIOSSLContext) throws -> NIOSSLClientHandler {
        try NIOSSLClientHandler(context: tls, serverHostname: "localhost") { [self] chain, promise in
            shown.withLock { $0 = try? chain.first?.toDERBytes() }
            promise.succeed(.certificateVerified)
        }
    }
}
