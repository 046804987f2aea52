import Foundation
import StatexKeys
import StatexZeroMQ
import Synchronization
import Testing

/// CURVE with an authenticator on real sockets.
@Suite final class AuthenticatorTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "statex-curve-\(UInt64.random(in: 0 ... .max))"
    ).path

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func pair(_ name: String) throws -> KeyPair {
        let pair = try KeyPair.make()
        _ = try KeyFile(name: name, role: nil, tenants: [], pair).write(to: folder)
        return pair
    }

    /// Waits until something can be read.
    private func wait(_ socket: borrowing Socket) throws {
        var poller = Poller()
        poller.add(socket)
        let deadline = ContinuousClock.now + .seconds(30)
        while try !poller.wait(milliseconds: 1_000) { try #require(ContinuousClock.now < deadline) }
    }

    @Test(.timeLimit(.minutes(1))) func `each message says whose it is, also those that were fetched ahead`() throws {
        let (server, own) = (try pair("server"), try pair("own"))
        let asked = Mutex<[String]>([])
        let context = try ZeroMQContext()
        let authenticator = try Authenticator(in: context) { key, door in
            asked.withLock { $0.append("\(key) \(door)") }
            return true
        }
        let router = try Socket(.router, in: context)
        try router.setKeys(server.secretKey, at: .worker)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(.dealer, in: context)
        var keys: PeerKeys? = PeerKeys(own: folder + "/own.key", scheduler: folder + "/server.pub")
        try dealer.connect(router.lastEndpoint(), with: &keys)
        let identity = Frame()
        let body = Frame()
        var heard = 0
        for _ in 0..<500 {
            for _ in 0..<20 { _ = try dealer.send([1, 2, 3].span.bytes) }
            var left = 20
            while left > 0 {
                // The poll fetches a message ahead, and loses what is known of its first frame.
                try wait(router)
                while try router.receive(into: identity) {
                    let hasBody = try router.receive(into: body)
                    let isOthers = body.isOf(user: server.publicKey.text)
                    if hasBody, !isOthers, body.user == own.publicKey.text, body.isOf(user: own.publicKey.text) {
                        heard += 1
                    }
                    left -= 1
                }
            }
        }
        #expect(heard == 10_000)
        #expect(asked.withLock { $0 } == ["\(own.publicKey) worker"])
        withExtendedLifetime(authenticator) {}
    }

    @Test func `a message over a socket without keys is nobody's`() throws {
        let context = try ZeroMQContext()
        let router = try Socket(.router, in: context)
        try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(.dealer, in: context)
        try dealer.connect(router.lastEndpoint())
        _ = try dealer.send([1].span.bytes)
        try wait(router)
        let frame = Frame()
        var frames = 0
        while try router.receive(into: frame) { frames += 1 }
        #expect(frames == 2)
        let (user, isOf) = (frame.user, frame.isOf(user: ""))
        #expect(user == nil && !isOf)
    }
}
