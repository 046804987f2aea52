import Foundation
import S3TestServer
import StatexClient
import StatexObjects
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Objects in a bucket of a real S3 server: written by clients, read by workers, and the other way round.
    @Suite struct ObjectStoreTests {
        @Test func `a large input and a large result go through S3`() async throws {
            let server = try S3TestServer()
            try await TestStack.with(server.settings) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                // The scheduler names the bucket; how it is reached, the client knows.
                let client = try await stack.client(s3: server.access)
                // The worker joins what is small to what is not.
                let parts = (1...2).map { [UInt8](repeating: $0, count: 50_000) }
                var request = Request(parts.map { JobSpec(kind: "echo", payload: .bytes($0)) })
                request.jobs[1].inputs = [0]
                let result = try #require(try await client.submit(request).result().jobs[1].result)
                guard case .object(let text) = result else { throw HarnessError("\(result)") }
                #expect(try ObjectReference(text: text).scheme == .s3)
                #expect(try await client.bytes(of: result) == parts[1] + parts[0])
                // A process that reads its input: as many seconds as stand behind the spaces.
                let spaces = [UInt8](repeating: UInt8(ascii: " "), count: 3_000_000)
                let read = try await client.submit(
                    Request(kind: "spin-process", payload: .bytes(spaces + Array("0.25".utf8))))
                #expect(try await read.result().jobs[0].text == "0.25")
                await client.close()
            }
        }

        @Test func `an input that lies in another kind of place fails its job and names the key`() async throws {
            let server = try S3TestServer()
            try await TestStack.with(server.settings) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client(s3: server.access)
                let reference = #"{"url":"file:a/b","size":1,"sha256":"\#(String(repeating: "0", count: 64))"}"#
                let handle = try await client.submit(
                    Request(kind: "child", payload: .object(reference: Array(reference.utf8))))
                let job = try await handle.result().jobs[0]
                #expect(job.state == .failed)
                #expect("\(job)".contains("key `objects`"), "\(job)")
                await client.close()
            }
        }

        @Test func `while S3 is busy for too long an attempt is retried, and the job succeeds`() async throws {
            let server = try S3TestServer()
            // A lease time after its start the scheduler sweeps, and would meet a fault that is not meant for it.
            let keys = ["retry_backoff_seconds": "0.01", "lease_seconds": "300"]
            try await TestStack.with(server.settings.merging(keys) { $1 }) { stack in
                _ = try stack.startScheduler()
                let client = try await stack.client(s3: server.access)
                let handle = try await client.submit(
                    Request(kind: "child", payload: .bytes([UInt8](repeating: 1, count: 100_000))))
                try server.order([String](repeating: "slow-down", count: 5))
                _ = try stack.startWorker("w")
                let job = try await handle.result().jobs[0]
                #expect(job.state == .succeeded)
                #expect(job.attempts == 2)
                await client.close()
            }
        }

        @Test func `the command line puts inputs into S3, and doctor asks whether it answers`() async throws {
            let server = try S3TestServer()
            try await TestStack.with(server.settings) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let large = String(repeating: "x", count: 100_000)
                let run = try stack.run("submit", "--wait", "--kind", "child", "--payload", large)
                #expect(run.end == .exited(0), "\(run)")
                let file = stack.directory + "/large"
                try Data(repeating: UInt8(ascii: " "), count: 200_000).write(to: URL(fileURLWithPath: file))
                let second = try stack.run("submit", "--file", file)
                #expect(second.end == .exited(0), "\(second)")
                let payloads = try stack.rows("SELECT convert_from(payload, 'UTF8') FROM statex.jobs").map { $0[0] }
                #expect(payloads.count == 2)
                #expect(payloads.allSatisfy { $0.hasPrefix(#"{"url":"s3:"#) }, "\(payloads)")
                let doctor = try CommandRun(
                    ["doctor", "--config", stack.directory + "/statex.yaml"], in: stack.directory)
                #expect(doctor.output.contains("s3://objects/e2e answers"), "\(doctor)")
            }
        }

        @Test func `a sweep leaves what the journal names, and says what it removed`() async throws {
            let server = try S3TestServer()
            try await TestStack.with(server.settings) { stack in
                let scheduler = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client(s3: server.access)
                let open = try await client.submit(
                    Request([JobSpec(kind: "nobody", payload: .bytes([UInt8](repeating: 1, count: 100_000)))]))
                let done = try await client.submit(
                    Request(kind: "echo", payload: .bytes([UInt8](repeating: 2, count: 100_000))))
                #expect(try await done.result().jobs[0].state == .succeeded)
                // So that it does not sweep first.
                _ = try scheduler.stop()
                let sums = try [1, 2, 3].map {
                    try SHA256.digest(of: [UInt8](repeating: $0, count: 100_000))
                }
                let keys = sums.map { "e2e/" + StoredObject.path(of: $0) }
                try server.put(String(repeating: "\u{3}", count: 100_000), at: "objects/" + keys[2])
                for key in keys { try server.age("objects/" + key, days: 9) }
                let dry = try stack.sweepObjects("--dry-run")
                #expect(dry.list("stores").first?["removed"] as? Int == 1, "\(dry)")
                #expect(try server.keys().count == 3)
                // And so does a scheduler, by itself, a lease time after its start.
                let second = try stack.startScheduler()
                let words = "s3://objects/e2e: 1 of 3 objects removed, 100000 of 300000 bytes"
                try await second.eventually("the scheduler swept") { second.said.contains(words) }
                #expect(try server.keys() == keys.dropLast().sorted())
                let rest = try stack.sweepObjects()
                #expect(rest.list("stores").first?["objects"] as? Int == 2, "\(rest)")
                #expect(rest.list("stores").first?["removed"] as? Int == 0, "\(rest)")
                _ = open
                await client.close()
            }
        }
    }
}

extension S3TestServer {
    /// Keys of `statex.yaml`.
    fileprivate var settings: [String: String] {
        ["objects": "[s3://objects/e2e]", "s3_endpoint": endpoint, "s3_credentials_file": credentialsFile]
    }

    fileprivate var access: S3Access {
        var access = S3Access()
        access.endpoint = endpoint
        access.credentialsFile = credentialsFile
        return access
    }
}

extension TestStack {
    fileprivate func sweepObjects(_ arguments: String...) throws -> OperatorAnswer {
        let run = try CommandRun(
            ["objects", "sweep", "--json", "--config", directory + "/statex.yaml", "--database", database] + arguments,
            in: directory)
        let json = try? JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
        return OperatorAnswer(end: run.end, json: json ?? [:], errors: "\(run)")
    }
}
