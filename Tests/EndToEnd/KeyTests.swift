import Foundation
import Glibc
import StatexClient
import StatexKeys
import StatexProtocol
import StatexZeroMQ
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Keys on TCP: who gets in, what for, and how that ends.
    @Suite struct KeyTests {
        @Test func `holders of keys work over TCP, and who has none, or another's, is not heard`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("ops", "operator")
                try site.holder("alice", "client", tenants: ["default"])
                try site.make("mallory", "client", tenants: ["default"])
                let scheduler = try site.startScheduler()
                _ = try site.startWorker("w")
                let client = try await site.client("alice")
                let handle = try await client.submit(Request(kind: "echo", payload: .text("hello")))
                #expect(try await handle.result().jobs[0].text == "hello")
                // The largest message that there may be, encrypted.
                var peer = try RawPeer(site.submit, site.peer("ops"))
                try peer.greet(RawPeer.hello(.client))
                let stamp = peer.stamp
                try peer.say { buffer in
                    Header(.status, stamp: stamp).write(to: &buffer)
                    buffer.append([UInt8](repeating: 0, count: Limits.messageBytes - buffer.count))
                }
                #expect(try peer.next().header.type == .statusReply)
                // A key that nobody allowed; the right key at the wrong door; no key.
                for (endpoint, keys) in [
                    (site.submit, site.peer("mallory")), (site.submit, site.peer("w")),
                    (site.worker, site.peer("alice")), (site.worker, site.peer("mallory")),
                    (site.submit, nil), (site.worker, nil),
                ] as [(String, PeerKeys?)] {
                    #expect(try RawPeer(endpoint, keys).isSilent())
                }
                let operatorClient = try await site.client("ops")
                #expect(try await operatorClient.decodedStatus().counts["keys_refused"] ?? 0 >= 4)
                #expect(scheduler.said.contains("an unknown key ("))
                #expect(scheduler.said.contains("was refused at the door submit"))
                await operatorClient.close()
                await client.close()
            }
        }

        @Test func `commands and the client in Python show their keys`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("w", "worker")
                try site.holder("ops", "operator")
                try site.holder("alice", "client", tenants: ["default"])
                _ = try site.startScheduler()
                _ = try site.startWorker("w")
                let submit = ["submit", "--kind", "echo", "--payload", "a", "--wait"]
                let done = try site.run(submit, as: "alice")
                #expect(done.end == .exited(0), "\(done)")
                // An operator looks and orders; submitting takes a client's key.
                let refused = try site.run(submit, as: "ops")
                #expect(refused.end == .exited(3) && refused.errors.contains("not for the role operator"), "\(refused)")
                let workers = try site.run(["workers"], as: "ops")
                #expect(workers.end == .exited(0) && workers.output.contains("serving"), "\(workers)")
                let paused = try site.run(["pause", "--kind", "echo"], as: "alice")
                #expect(paused.end == .exited(3) && paused.errors.contains("not for the role client"), "\(paused)")
                // Whose key is not in the list hears that, and not that nobody is there.
                try site.make("mallory", "operator")
                let stranger = try site.run(["workers", "--timeout", "3"], as: "mallory")
                #expect(
                    stranger.end == .exited(4) && stranger.errors.contains("does not let this key in"), "\(stranger)")
                // On a machine that has nothing yet.
                let fresh = ["--data-dir", stack.directory + "/fresh/statex"]
                let made = try CommandRun(["keys", "new", "--server"] + fresh, in: stack.directory)
                #expect(made.end == .exited(0) && made.output.contains("/fresh/statex/keys/server.key"), "\(made)")
                let nobody = try CommandRun(["keys", "revoke", "nobody"] + fresh, in: stack.directory)
                #expect(nobody.end == .exited(5), "\(nobody)")
                let listed = try site.keys("list", "--json")
                #expect(listed.output.contains(#""name":"alice","role":"client","tenants":["default"]"#), "\(listed)")
                guard access(Self.python, X_OK) == 0 else { return }
                var command = Command(
                    Self.python,
                    [
                        Self.root + "/docs/examples/statex_client.py", "--endpoint", site.submit, "--kind", "echo",
                        "--payload", "b", "--peer-key", site.key("alice"), "--server-public-key", site.serverKey,
                    ], environment: ["PATH": "/usr/bin:/bin"])
                command.log = stack.directory + "/python.log"
                let end = try ChildProcess.run(command, limit: .seconds(60))
                #expect(end == .exited(0), "\(ProcessTable.text(stack.directory + "/python.log"))")
            }
        }

        private static let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        private static let python = root + "/.venv/bin/python3"

        @Test func `without keys a scheduler binds no address that others reach`() async throws {
            try await TestStack.with { stack in
                let arguments = [
                    "scheduler", "--database", stack.database, "--config", stack.directory + "/statex.yaml",
                ]
                for flag in ["--submit-endpoint", "--worker-endpoint", "--events-endpoint"] {
                    let run = try CommandRun(arguments + [flag, "tcp://0.0.0.0:7301"], in: stack.directory)
                    #expect(
                        run.end == .exited(2) && run.errors.contains("without keys only a literal loopback"), "\(run)")
                }
                // A journal, for the judge of this test.
                #expect(try stack.startScheduler().stop() == .exited(0))
                // A secret that others may read is none.
                let site = try KeyedSite(stack)
                chmod(site.folder + "/server.key", 0o644)
                let scheduler = try site.launchScheduler()
                #expect(try scheduler.waitForEnd() == .exited(2))
                #expect(scheduler.said.contains("run: chmod 0600"))
            }
        }

        @Test func `a key for some tenants reaches theirs and nobody else's`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                try site.holder("alice", "client", tenants: ["acme", "acme labs"])
                try site.holder("bob", "client", tenants: ["other"])
                try site.holder("portal", "client", tenants: ["*"])
                _ = try site.startScheduler()
                let (alice, bob) = (try await site.client("alice"), try await site.client("bob"))
                let portal = try await site.client("portal")
                let own = try await alice.submit(Request(kind: "echo", payload: .text("a"), tenant: "acme labs"))
                let others = try await bob.submit(Request(kind: "echo", payload: .text("b"), tenant: "other"))
                // Submitted for others, alone or among its own.
                for tenants in [["other"], ["acme", "other"], ["default"], ["ACME"]] {
                    let requests = tenants.map { Request(kind: "echo", payload: .text("x"), tenant: $0) }
                    for result in await alice.submitEach(requests) {
                        guard case .failure(.refused(WireError.Code.forbidden.rawValue, let text)) = result else {
                            Issue.record("\(tenants): \(result)")
                            continue
                        }
                        #expect(text.contains("the key is not for tenant"))
                    }
                }
                #expect(try stack.number("SELECT count(*) FROM statex.jobs") == 2)
                // Looked at, waited for, cancelled, explained: others' are not there.
                #expect(try await alice.status(ofRequest: own.id).jobs[0].state == .queued)
                #expect(try await portal.status(ofRequest: own.id).jobs[0].state == .queued)
                #expect(try await bob.status(ofRequest: others.id).jobs[0].state == .queued)
                #expect(try await bob.explain(job: others.id).state == .queued)
                try await isUnknown(others.id, to: alice)
                // A request with others' jobs in it is not its own, nor are those jobs; the one that is may be looked at.
                var raw = try RawPeer(site.submit, site.peer("portal"))
                let mixed = try raw.submit(tenants: ["acme", "other"])
                await #expect(throws: ClientError.unknown(mixed)) { try await alice.status(ofRequest: mixed) }
                #expect(try await alice.cancel(request: mixed) == 0)
                #expect(try await alice.status(ofJob: mixed).state == .queued)
                try await isUnknown(JobID(rawValue: mixed.rawValue + 1), to: alice)
                #expect(try await alice.cancel(request: own.id) == 1)
                // Nothing of others in the status of one.
                #expect(try await !alice.schedulerStatus().contains("\"clients\""))
                #expect(try await portal.schedulerStatus().contains("\"clients\":"))
                for client in [alice, bob, portal] { await client.close() }
            }
        }

        private func isUnknown(_ id: JobID, to client: Client) async throws {
            await #expect(throws: ClientError.unknown(id)) { try await client.status(ofRequest: id) }
            await #expect(throws: ClientError.unknown(id)) { try await client.status(ofJob: id) }
            await #expect(throws: ClientError.unknown(id)) { try await client.result(ofJob: id) }
            #expect(try await client.cancel(request: id) == 0)
            #expect(try await !client.cancel(job: id))
            #expect(try await client.explain(job: id).state == nil)
        }

        @Test func `each role's messages, over the wire: those of others are refused`() async throws {
            try await TestStack.with { stack in
                let site = try KeyedSite(stack)
                for role in KeyRole.allCases {
                    try site.holder(role.rawValue, role.rawValue, tenants: role == .client ? ["*"] : [])
                }
                let scheduler = try site.startScheduler()
                var refused = 0
                for (role, door) in [
                    (KeyRole.client, Door.submit), (.gateway, .submit), (.operator, .submit), (.worker, .worker),
                ] {
                    let keys = site.peer(role.rawValue)
                    for type in MessageType.allCases where type != .hello && type != .goodbye {
                        var peer = try RawPeer(door == .worker ? site.worker : site.submit, keys)
                        try peer.greet(RawPeer.hello(door == .worker ? .worker : .client))
                        let stamp = peer.stamp
                        try peer.say { Header(type, stamp: stamp).write(to: &$0) }
                        // What is allowed may be answered, or malformed, as empty as it is.
                        try peer.say { Header(.welcome, stamp: stamp).write(to: &$0) }
                        var faults: [UInt16] = []
                        while faults.filter({ $0 == WireError.Code.type.rawValue }).isEmpty {
                            let (_, fault) = try peer.next()
                            if let fault { faults.append(fault.code) }
                        }
                        let wasRefused = faults.first == WireError.Code.type.rawValue
                        let first = try? peer.next(within: 1)
                        let isSecond = first?.fault?.code == WireError.Code.type.rawValue
                        #expect(
                            (wasRefused && isSecond) == !role.maySend(type, through: door), "\(role) \(type) \(faults)")
                        if isSecond { refused += 1 }
                    }
                }
                #expect(refused > 80)
                #expect(scheduler.end == nil)
            }
        }
    }
}
