import Foundation
import Glibc
import StatexKeys
import Testing

@testable import StatexZeroMQ

/// Peers that say what they want to be called, on real sockets: a message goes to whom a ROUTER calls so.
@Suite(.serialized) final class ClaimedNameTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "statex-names-\(UInt64.random(in: 0 ... .max))"
    ).path

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A door with keys, and those who come to it.
    private final class Site {
        let router: Socket
        let authenticator: Authenticator
        private let context: ZeroMQContext
        private let folder: String

        init(_ folder: String, hasKeys: Bool = true) throws {
            let context = try ZeroMQContext()
            let authenticator = try Authenticator(in: context) { _, _ in true }
            let router = try Socket(.router, in: context)
            try router.setMandatory()
            if hasKeys {
                let server = try Self.pair("server", folder)
                for name in ["alice", "mallory"] { _ = try Self.pair(name, folder) }
                try router.setKeys(server.secretKey, at: .submit)
            }
            try router.bind("tcp://127.0.0.1:*")
            self.folder = folder
            self.authenticator = authenticator
            self.router = router
            self.context = context
        }

        private static func pair(_ name: String, _ folder: String) throws -> KeyPair {
            let pair = try KeyPair.make()
            _ = try KeyFile(name: name, role: nil, tenants: [], pair).write(to: folder)
            return pair
        }

        /// Connects and says a word.
        func peer(_ name: String?, claiming: [UInt8] = []) throws -> Socket {
            let peer = try Socket(.dealer, in: context)
            if !claiming.isEmpty { try peer.set(Self.routingID, claiming) }
            var keys = name.map { PeerKeys(own: "\(folder)/\($0).key", scheduler: folder + "/server.pub") }
            try peer.connect(router.lastEndpoint(), with: &keys)
            _ = try peer.send([1].span.bytes)
            return peer
        }

        /// ZMQ_ROUTING_ID.
        private static var routingID: Int32 { 5 }

        /// Whom the next word is of; nil: none comes.
        func speaker(within milliseconds: Int = 10_000) throws -> [UInt8]? {
            let frame = Frame()
            guard try Self.hears(router, within: milliseconds), try router.receive(into: frame) else { return nil }
            let name = frame.bytes.withUnsafeBytes { Array($0) }
            while frame.hasMore { guard try router.receive(into: frame) else { break } }
            return name
        }

        /// Whether something comes for it.
        static func hears(_ socket: borrowing Socket, within milliseconds: Int) throws -> Bool {
            var poller = Poller()
            poller.add(socket)
            return try poller.wait(milliseconds: milliseconds)
        }

        /// What the broker does: to the name that the peer had.
        func say(to name: [UInt8]) throws -> Socket.Sent {
            let first = try router.send(name.span.bytes, more: true)
            return first == .sent ? try router.send([2].span.bytes) : first
        }

        func waitUntilGone(_ name: [UInt8]) throws {
            let deadline = ContinuousClock.now + .seconds(10)
            while try say(to: name) != .unroutable {
                try #require(ContinuousClock.now < deadline)
                _ = try Self.hears(router, within: 5)
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func `who claims the name of a closed connection hears nothing that is for it`()
        throws
    {
        let site = try Site(folder)
        // Many times: libzmq takes the peer's word for it whenever the answer comes too early.
        for _ in 0..<100 {
            var victim: Socket? = try site.peer("alice")
            let name = try #require(try site.speaker())
            #expect(try site.say(to: name) == .sent)
            victim = nil
            try site.waitUntilGone(name)
            let thief = try site.peer("mallory", claiming: name)
            let ownName = try #require(try site.speaker())
            #expect(ownName != name)
            #expect(try site.say(to: name) == .unroutable)
            #expect(try !Site.hears(thief, within: 1))
            #expect(try site.say(to: ownName) == .sent)
            #expect(try Site.hears(thief, within: 10_000))
            _ = victim
        }
    }

    @Test(.timeLimit(.minutes(1))) func `where there are keys each connection is called as the authenticator says`()
        throws
    {
        let site = try Site(folder)
        var seen: Set<[UInt8]> = []
        // Names that a ROUTER counts, one of our form, the longest; each twice at the same time.
        let claims: [[UInt8]] = [
            [], [0, 0xE4, 0x3C, 0x98, 0x69], [0, 0xE4, 0x3C, 0x98, 0x6A], [UInt8](repeating: 7, count: 16),
            [UInt8](repeating: 8, count: 255),
        ]
        for claim in claims {
            for _ in 0..<50 {
                let one = try site.peer("alice", claiming: claim)
                let two = try site.peer("mallory", claiming: claim)
                for _ in 0..<2 {
                    let name = try #require(try site.speaker())
                    #expect(RoutingID(name.span.bytes)?.isNamed == true && name != claim)
                    seen.insert(name)
                }
                withExtendedLifetime(Held(one, two)) {}
            }
        }
        #expect(seen.count == claims.count * 100)
    }

    /// libzmq 4.3.4 aborts when it counts to a name that is taken: so this process would, were names counted here.
    @Test(.timeLimit(.minutes(1))) func `who claims the name that would be counted next ends nothing`() throws {
        let site = try Site(folder)
        for _ in 0..<100 {
            let first = try site.peer("alice")
            let name = try #require(try site.speaker())
            let next = name.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) } &+ 1
            let claimed = [0] + [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: next >> UInt32($0)) }
            let thief = try site.peer("mallory", claiming: claimed)
            #expect(try site.speaker() != claimed)
            let other = try site.peer("alice")
            #expect(try site.speaker() != nil)
            withExtendedLifetime((Held(first, thief), Held(other))) {}
        }
    }

    @Test func `no two starts count their connections from the same number`() throws {
        var first: Set<[UInt8]> = []
        for _ in 0..<8 {
            // As a process finds it: nobody seeded.
            srand(1)
            let site = try Site(folder, hasKeys: false)
            let peer = try site.peer(nil)
            let name = try #require(try site.speaker())
            #expect(name.count == 5 && name[0] == 0)
            first.insert(name)
            withExtendedLifetime(Held(peer)) {}
        }
        #expect(first.count == 8)
    }

    /// Holds on to connections.
    private final class Held {
        let one: Socket
        let two: Socket?

        init(_ one: consuming Socket, _ two: consuming Socket? = nil) {
            self.one = one
            self.two = two
        }
    }
}
