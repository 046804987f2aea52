import Foundation
import Glibc
import StatexClient
import StatexKeys
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Keys that are revoked and exchanged while everything runs.
    @Suite struct KeyChangeTests {
        @Test func `a revoked worker that is still connected is out, and its job runs elsewhere`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w1", "worker")
                try site.holder("w2", "worker")
                try site.holder("ops", "operator")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                let first = try site.startWorker("w1", slots: 1)
                let (client, ops) = (try await site.client("alice"), try await site.client("ops"))
                let handle = try await client.submit(Request(kind: "sleep", payload: .text(#"{"ms": 4000}"#)))
                try await first.eventually("the first worker has it") {
                    try await ops.decodedStatus().workers.first { $0.name == "w1" }?.leases == 1
                }
                _ = try site.startWorker("w2", slots: 1)
                try site.keys("revoke", "w1")
                scheduler.signal(SIGHUP)
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.attempts == 2 && job.losses == 1)
                #expect(
                    try stack.rows("SELECT split_part(worker_name, '/', 1) FROM statex.leases ORDER BY token")
                        == [["w1"], ["w2"]])
                #expect(try await ops.decodedStatus().counts["keys_revoked"] == 1)
                #expect(first.end == nil)
                #expect(
                    try stack.number(
                        "SELECT count(*) FROM statex.actions WHERE action = 'configure' AND note LIKE 'revoked w1 (worker%'"
                    )
                        == 1)
                for client in [client, ops] { await client.close() }
            }
        }

        @Test func `what comes over the connection of a revoked key is refused, and then it is cut`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                let keys = try site.holder("alice", "client", tenants: ["*"])
                let others = try site.holder("ops", "operator")
                let scheduler = try site.startScheduler()
                var peer = try RawPeer(site.submit, keys)
                var idle = try RawPeer(site.submit, keys)
                var other = try RawPeer(site.submit, others)
                try peer.greet(RawPeer.hello(.client))
                try idle.greet(RawPeer.hello(.client))
                try other.greet(RawPeer.hello(.client))
                let stamp = peer.stamp
                try site.keys("revoke", "alice")
                scheduler.signal(SIGHUP)
                #expect(try peer.next().fault?.code == WireError.Code.session.rawValue)
                try peer.say { Header(.status, stamp: stamp).write(to: &$0) }
                #expect(try peer.next().fault?.code == WireError.Code.forbidden.rawValue)
                try peer.say { RawPeer.hello(.client).write(to: &$0) }
                #expect(try peer.next().fault?.code == WireError.Code.forbidden.rawValue)
                try await scheduler.eventually("it is cut") { try peer.isSilent() }
                #expect(try RawPeer(site.submit, keys).isSilent())
                #expect(try idle.next().fault?.code == WireError.Code.session.rawValue)
                #expect(try idle.isSilent())
                // Nobody else.
                let session = other.stamp
                try other.say { Header(.status, stamp: session).write(to: &$0) }
                #expect(try other.next().header.type == .statusReply)
                let ops = try await site.client("ops")
                #expect(try await ops.decodedStatus().counts["connections_cut"] == 2)
                await ops.close()
                try site.keys("allow", site.folder + "/alice.pub")
                try await scheduler.eventually("it is let in again") { try !RawPeer(site.submit, keys).isSilent() }
            }
        }

        @Test func `a key whose end comes is out as if it was revoked, also one that is connected`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                let keys = try site.holder("alice", "client", tenants: ["*"])
                let scheduler = try site.startScheduler()
                var peer = try RawPeer(site.submit, keys)
                try peer.greet(RawPeer.hello(.client))
                let end = KeyEnd(seconds: KeyEnd.now.seconds + 8)
                try site.keys("allow", site.folder + "/alice.pub", "--until", end.description)
                try await scheduler.eventually("its end is taken over, and near") {
                    scheduler.said.contains("changed alice") && scheduler.said.contains("ends soon")
                }
                // The session outlives the change of its key's end, and not the end.
                let stamp = peer.stamp
                try peer.say { Header(.status, stamp: stamp).write(to: &$0) }
                #expect(try peer.next().fault == nil)
                #expect(try peer.next(within: 20).fault?.code == WireError.Code.session.rawValue)
                #expect(end <= .now)
                try peer.say { Header(.status, stamp: stamp).write(to: &$0) }
                #expect(try peer.next().fault?.code == WireError.Code.forbidden.rawValue)
                #expect(try RawPeer(site.submit, keys).isSilent())
                #expect(try site.keys("list").output.contains("\(end), over"))
                #expect(
                    try stack.number(
                        "SELECT count(*) FROM statex.actions WHERE action = 'configure' AND note LIKE 'ended alice (client%'"
                    )
                        == 1)
                let past = try CommandRun(
                    [
                        "keys", "allow", site.folder + "/alice.pub", "--until", "2026-01-01", "--config",
                        stack.directory + "/statex.yaml",
                    ], in: stack.directory)
                #expect(past.end == .exited(2) && past.errors.contains("that is over already"), "\(past)")
                try site.keys("allow", site.folder + "/alice.pub", "--until", "never")
                try await scheduler.eventually("it is let in again") { try !RawPeer(site.submit, keys).isSilent() }
            }
        }

        @Test func `a broken list changes nothing, and status says why until it is mended`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("ops", "operator")
                let scheduler = try site.startScheduler()
                let ops = try await site.client("ops")
                let list = site.folder + "/allowed"
                let before = try String(contentsOfFile: list, encoding: .utf8)
                try "nonsense\n".write(toFile: list, atomically: true, encoding: .utf8)
                try await scheduler.eventually("status says why") {
                    try await ops.schedulerStatus().contains("line 1: it takes four words")
                }
                #expect(scheduler.said.contains("the allowed keys stay as they were"))
                try before.write(toFile: list, atomically: true, encoding: .utf8)
                try await scheduler.eventually("status is content") {
                    try await !ops.schedulerStatus().contains("line 1: it takes four words")
                }
                await ops.close()
            }
        }

        @Test func `a list that others may write is read again once its mode is mended`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("ops", "operator")
                let scheduler = try site.startScheduler()
                let ops = try await site.client("ops")
                let list = site.folder + "/allowed"
                for (mode, isRefused) in [(0o622, true), (0o600, false)] as [(mode_t, Bool)] {
                    try #require(chmod(list, mode) == 0)
                    try await scheduler.eventually("status \(isRefused ? "says why" : "is content")") {
                        try await ops.schedulerStatus().contains("others may write there") == isRefused
                    }
                }
                await ops.close()
            }
        }

        @Test func `a worker's key is exchanged, and what it runs goes on`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                let worker = try site.startWorker("w", slots: 1)
                let client = try await site.client("alice")
                let handle = try await client.submit(Request(kind: "sleep", payload: .text(#"{"ms": 5000}"#)))
                try await scheduler.eventually("it runs") {
                    try stack.number("SELECT count(*) FROM statex.leases") == 1
                }
                let old = try KeyFile.readPublic(site.folder + "/w.pub").publicKeys[0]
                try site.keys("new", "w", "--role", "worker", "--out", site.folder + "/new")
                try site.keys("allow", site.folder + "/new/w.pub")
                #expect(rename(site.folder + "/new/w.key", site.key("w")) == 0)
                try site.keys("revoke", old.text)
                scheduler.signal(SIGHUP)
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.attempts == 1 && job.losses == 0)
                #expect(worker.said.contains("revoked"))
                await client.close()
            }
        }

        @Test func `the scheduler's key is exchanged, and what runs goes on`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                try site.keys("new", "--server", "--out", site.folder + "/new")
                // Peers know both before one is left.
                let next = try KeyFile.readPublic(site.folder + "/new/server.pub").publicKeys[0]
                let known = try String(contentsOfFile: site.serverKey, encoding: .utf8)
                try (known + "    public-key = \"\(next)\"\n").write(
                    toFile: site.serverKey, atomically: true, encoding: .utf8)
                _ = try site.startWorker("w", slots: 1)
                let client = try await site.client("alice")
                let handle = try await client.submit(Request(kind: "sleep", payload: .text(#"{"ms": 8000}"#)))
                try await scheduler.eventually("it runs") {
                    try stack.number("SELECT count(*) FROM statex.leases") == 1
                }
                #expect(try scheduler.stop() == .exited(0))
                #expect(rename(site.folder + "/new/server.key", site.folder + "/server.key") == 0)
                _ = try site.startScheduler()
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded && job.attempts == 1 && job.losses == 0)
                await client.close()
            }
        }

        @Test func `events are for gateways and operators, until their key is revoked`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                for name in ["ops", "left"] { try site.holder(name, "operator") }
                try site.holder("w", "worker")
                try site.holder("alice", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                let client = try await site.client("alice")
                let ops = try site.listener("ops")
                var left = EventReceiver(site.events, keys: site.peer("left"), in: try RawClient.context.get())
                #expect(try RawPeer(site.events, site.peer("w")).isSilent())
                #expect(try RawPeer(site.events, site.peer("alice")).isSilent())
                while try left.next(milliseconds: 1_000) == nil { #expect(scheduler.end == nil) }
                let first = try await client.submit(Request(kind: "echo", payload: .text("1")))
                try await ops.eventually("the first is heard") { ops.said.contains(first.id.description) }
                while try left.next(milliseconds: 10_000)?.names(first.id) == false {}
                try site.keys("revoke", "left")
                scheduler.signal(SIGHUP)
                try await scheduler.eventually("it is taken over") { scheduler.said.contains("revoked left") }
                let second = try await client.submit(Request(kind: "echo", payload: .text("2")))
                // Who may still hear comes back, and misses nothing.
                try await ops.eventually("the second is heard") { ops.said.contains(second.id.description) }
                while let message = try left.next(milliseconds: 500) { #expect(!message.names(second.id)) }
                await client.close()
            }
        }
    }
}

extension KeyedSite {
    /// Events as a holder hears them.
    fileprivate func listener(_ name: String) throws -> RunningProcess {
        try stack.start(
            "events-\(name)", TestStack.program,
            [
                "events", "--follow", "--json", "--endpoint", events, "--database", stack.database, "--config",
                stack.directory + "/statex.yaml", "--peer-key", key(name), "--server-public-key", serverKey,
            ])
    }
}

extension EventMessage {
    fileprivate func names(_ id: JobID) -> Bool {
        guard case .events(let part) = self else { return false }
        return part.events.contains { $0.id == id }
    }
}
