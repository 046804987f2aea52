import Foundation
import Glibc
import StatexClient
import StatexKeys
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Strangers at the port, and holders of keys that want more than theirs.
    @Suite struct HostilePeerTests {
        @Test func `a worker's identity is its holder's: another key gets neither its leases nor its session`()
            async throws
        {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                let (mine, others) = (try site.holder("w1", "worker"), try site.holder("w2", "worker"))
                try site.holder("ops", "operator")
                _ = try site.startScheduler()
                let ops = try await site.client("ops")
                let incarnation = UInt64.random(in: 1 ... .max)
                var first = try RawPeer(site.worker, mine)
                try first.greet(RawPeer.hello(.worker, incarnation: incarnation))
                let stamp = first.stamp
                var thief = try RawPeer(site.worker, others)
                // Its incarnation with another key.
                try thief.say { RawPeer.hello(.worker, incarnation: incarnation).write(to: &$0) }
                #expect(try thief.next().fault?.code == WireError.Code.forbidden.rawValue)
                // Its session over another connection, with and without one of its own: every message that a worker sends.
                for isWelcome in [false, true] {
                    if isWelcome { try thief.greet(RawPeer.hello(.worker)) }
                    for type in [
                        MessageType.heartbeat, .credit, .outcomes, .claim, .kept, .report, .checkpoint, .goodbye,
                    ] {
                        try thief.say { Header(type, stamp: stamp).write(to: &$0) }
                        let code = try thief.next().fault?.code
                        #expect(code == WireError.Code.session.rawValue, "\(type)")
                    }
                }
                let connected = try await ops.decodedStatus().workers.filter(\.connected).count
                #expect(connected == 2)
                // The same key again: the newer session is the holder's.
                var again = try RawPeer(site.worker, mine)
                try again.greet(RawPeer.hello(.worker, incarnation: incarnation))
                #expect(try first.next().fault?.code == WireError.Code.superseded.rawValue)
                await ops.close()
            }
        }

        @Test func `whoever claims a connection's name gets one of its own, and is served`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                let alice = try site.holder("alice", "client", tenants: ["default"])
                let mallory = try site.holder("mallory", "client", tenants: ["other"])
                let scheduler = try site.startScheduler()
                var victim = try RawPeer(site.submit, alice)
                _ = try victim.submit(tenants: ["default"])
                // Of those that claim the same name only the first would get through, and none of those that claim one
                // that is taken. The first numbers are those that libzmq counted from before it was seeded.
                for number: UInt8 in 0x60..<0x80 {
                    for claim in [[0, 0xE4, 0x3C, 0x98, number], [UInt8](repeating: number, count: 16)] {
                        var one = try RawPeer(site.submit, mallory, claiming: claim)
                        var two = try RawPeer(site.submit, mallory, claiming: claim)
                        try one.greet(RawPeer.hello(.client))
                        try two.greet(RawPeer.hello(.client))
                        #expect(one.stamp.session != two.stamp.session)
                    }
                }
                _ = try site.startWorker("w")
                let client = try await site.client("alice")
                let handle = try await client.submit(Request(kind: "echo", payload: .text("a")))
                #expect(try await handle.result().state == .succeeded)
                #expect(scheduler.end == nil)
                await client.close()
            }
        }

        @Test func `thousands of connections that never finish a handshake keep nobody out`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                var strangers = Strangers()
                // A signature of ZMTP and then a byte now and then; nothing at all; garbage; old versions.
                for greeting in Strangers.greetings {
                    for endpoint in [site.submit, site.worker, site.events] {
                        try strangers.connect(endpoint, count: 150, saying: greeting)
                    }
                }
                strangers.drip()
                _ = try site.startWorker("w")
                let client = try await site.client("alice")
                strangers.drip()
                #expect(
                    try await client.submit(Request(kind: "echo", payload: .text("a"))).result().state == .succeeded)
                #expect(scheduler.end == nil)
                strangers.leave()
                await client.close()
            }
        }

        @Test func `a scheduler without free descriptors serves who is connected, and recovers`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("alice", "client", tenants: ["default"])
                try site.holder("bob", "client", tenants: ["default"])
                let scheduler = try site.launchScheduler(files: 96)
                try scheduler.waitUntilReady()
                _ = try site.startWorker("w")
                let client = try await site.client("alice")
                var strangers = Strangers()
                try strangers.connect(site.submit, count: 400, saying: [])
                for number in 0..<20 {
                    let request = Request(kind: "echo", payload: .text("\(number)"))
                    #expect(try await client.submit(request).result().state == .succeeded)
                }
                strangers.leave()
                let other = try await site.client("bob")
                #expect(
                    try await other.submit(Request(kind: "echo", payload: .text("b"))).result().state == .succeeded)
                #expect(scheduler.end == nil)
                for client in [client, other] { await client.close() }
            }
        }

        @Test func `a message that never ends does not eat the memory, and others come back`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                for name in ["w", "evil"] { try site.holder(name, "worker") }
                try site.holder("ops", "operator")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.launchScheduler("max_memory=200 MiB")
                try scheduler.waitUntilReady()
                let (client, ops) = (try await site.client("alice"), try await site.client("ops"))
                _ = try site.startWorker("w")
                let place = String(site.worker.dropFirst("tcp://".count))
                let program = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path + "/endless.py"
                var most = 0
                let evil = try stack.start(
                    "endless", "/usr/bin/python3", [program, place, site.key("evil"), site.serverKey, "1000"])
                try await scheduler.eventually("the doors were opened anew") {
                    most = max(most, scheduler.residentKilobytes)
                    return try await ops.decodedStatus().counts["doors_reopened"] ?? 0 > 0
                }
                try evil.waitForEnd()
                #expect(evil.said.contains("in\ncut after"), "\(evil.said)")
                // The bound, and what a second more of it is.
                #expect(most < 900 << 10)
                let handle = try await client.submit(Request(kind: "echo", payload: .text("a")))
                #expect(try await handle.result().state == .succeeded)
                try await scheduler.eventually("the memory is given back") { scheduler.residentKilobytes < 200 << 10 }
                for client in [client, ops] { await client.close() }
            }
        }

        @Test func `a refused connection is not tried again, and a refused worker comes again after a while`()
            async throws
        {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("ops", "operator")
                try site.make("gone", "worker")
                let scheduler = try site.startScheduler()
                let ops = try await site.client("ops")
                let crowd = try (0..<50).map { _ in Knocking(try RawPeer(site.worker, site.peer("gone"))) }
                try await scheduler.eventually("each was refused") {
                    try await ops.decodedStatus().counts["keys_refused"] ?? 0 >= crowd.count
                }
                // A worker knocks ever more seldom: by its third time the others would have knocked often.
                let worker = try site.launchWorker("gone")
                try await worker.eventually("it knocked three times") {
                    worker.said.split(separator: "\n").filter { $0.contains("does not let this key in") }.count >= 3
                }
                #expect(try await ops.decodedStatus().counts["keys_refused"] ?? 0 <= crowd.count + 4)
                try site.keys("allow", site.folder + "/gone.pub")
                try worker.waitUntilReady()
                await ops.close()
            }
        }
    }
}

extension RunningProcess {
    fileprivate var residentKilobytes: Int {
        let line = ProcessTable.text("/proc/\(pid)/status").split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        return line.flatMap { $0.split(separator: " ").dropFirst().first }.flatMap { Int($0) } ?? 0
    }
}

/// Holds on to a connection.
private final class Knocking {
    let peer: RawPeer
    init(_ peer: consuming RawPeer) { self.peer = peer }
}

/// Connections of TCP that speak as they like.
private struct Strangers {
    private var all: [Int32] = []

    /// Nothing; the first bytes of ZMTP 3; ZMTP 1 and 2; a whole greeting for CURVE and then garbage; HTTP.
    static let greetings: [[UInt8]] = [
        [], [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3], [1, 0], [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1, 5, 0, 0],
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + name("CURVE") + [UInt8](repeating: 0, count: 32)
            + [4, 200] + [UInt8](repeating: 0x41, count: 200),
        [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + name("NULL") + [UInt8](repeating: 0, count: 32)
            + [4, 26] + Array("\u{5}READY\u{B}Socket-Type\0\0\0\u{6}DEALER".utf8),
        Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
    ]

    private static func name(_ mechanism: String) -> [UInt8] {
        Array(mechanism.utf8) + [UInt8](repeating: 0, count: 20 - mechanism.utf8.count)
    }

    mutating func connect(_ endpoint: String, count: Int, saying bytes: [UInt8]) throws {
        guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw HarnessError("\(endpoint) has no port")
        }
        for _ in 0..<count {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            guard descriptor >= 0 else { throw HarnessError("no descriptor for a stranger: \(errno)") }
            all.append(descriptor)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            _ = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        }
    }

    /// One byte more of each.
    func drip() {
        for descriptor in all { _ = send(descriptor, [0], 1, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) }
    }

    mutating func leave() {
        for descriptor in all { close(descriptor) }
        all = []
    }
}
