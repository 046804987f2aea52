import Foundation
import S3TestServer
import StatexObjects
import Testing

@testable import StatexStack

extension EndToEnd {
    /// Files that come to the gateway as forms, and leave it again, over real sockets.
    @Suite struct UploadTests {
        private static let large = Data((0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 3) })

        @Test func `files of a form are jobs, and their bytes come back whole or in parts`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                var form = GatewayForm()
                form.file("recording", Data("RIFF....WAVE".utf8) + Self.large)
                form.field("request", #"{"jobs":[{"kind":"echo","file":"recording"},{"kind":"echo","file":"empty"}]}"#)
                form.file("empty", Data())
                let created = try await visitor.post(form)
                #expect(created.status == 201, "\(created.text)")
                let jobs = try #require(created.json["job_ids"] as? [String])
                #expect(try await visitor.finished(jobs[0]).json["state"] as? String == "succeeded")

                let input = try await visitor.get("/v1/jobs/\(jobs[0])/payload")
                #expect(input.status == 200 && input.body == Data("RIFF....WAVE".utf8) + Self.large)
                #expect(input.header("Content-Type") == "audio/wav")
                #expect(input.header("Content-Disposition") == #"attachment; filename="input-\#(jobs[0])""#)
                #expect(input.header("X-Content-Type-Options") == "nosniff")
                #expect(input.header("Accept-Ranges") == "bytes")
                let sum = try SHA256.digest(of: Array(input.body))
                #expect(input.header("ETag") == "\"\(sum)\"")
                #expect(
                    input.header("Repr-Digest") == "sha-256=:\(Data(sum.bytes).base64EncodedString()):")
                let result = try await visitor.get("/v1/jobs/\(jobs[0])/result")
                #expect(result.body == input.body)
                #expect(try await visitor.get("/v1/jobs/\(jobs[1])/payload").body.isEmpty)

                for (range, part) in [("4-7", 4..<8), ("299000-", 299_000..<300_012), ("-10", 300_002..<300_012)] {
                    let answer = try await visitor.get(
                        "/v1/jobs/\(jobs[0])/payload", headers: ["Range": "bytes=\(range)"])
                    #expect(answer.status == 206 && answer.body == input.body[part], "\(range)")
                    #expect(
                        answer.header("Content-Range") == "bytes \(part.lowerBound)-\(part.upperBound - 1)/300012")
                }
                let behind = try await visitor.get(
                    "/v1/jobs/\(jobs[0])/payload", headers: ["Range": "bytes=300012-"])
                #expect(behind.status == 416 && behind.header("Content-Range") == "bytes */300012")
                let head = try await visitor.send("HEAD", "/v1/jobs/\(jobs[0])/payload", nil, ["Range": "bytes=0-0"])
                #expect(head.status == 200 && head.body.isEmpty && head.header("Content-Length") == "300012")
                #expect(try await visitor.get("/v1/jobs/1/payload").status == 404)
            }
        }

        @Test func `without a request each file is a job of its kind, and only its tenant sees its bytes`() async throws
        {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gateway = try GatewayVisitor(stack.startGateway())
                func visitor(_ tenant: String) throws -> GatewayVisitor {
                    let run = try CommandRun(
                        ["token", "--config", stack.directory + "/statex.yaml", "--tenant", tenant], in: stack.directory
                    )
                    return GatewayVisitor(
                        url: gateway.url, token: run.output.trimmingCharacters(in: .whitespacesAndNewlines))
                }
                let acme = try visitor("acme")
                var form = GatewayForm()
                form.field("text", "Hello")
                form.file("a", Self.large, type: "audio/mpeg")
                form.file("b", Data("a,b".utf8), type: "text/csv")
                form.file("c", Data("%PDF".utf8), type: "application/pdf")
                let created = try await acme.post(form)
                #expect(created.status == 201, "\(created.text)")
                let id = try #require(created.json["id"] as? String)
                let request = try await acme.get("/v1/requests/\(id)").json
                let jobs = try #require(request["jobs"] as? [[String: Any]])
                #expect(jobs.map { $0["kind"] as? String } == ["text", "audio", "text", "file"])
                let audio = try #require(jobs[1]["id"] as? String)
                #expect(try await acme.get("/v1/jobs/\(audio)/payload").body == Self.large)
                #expect(try await acme.get("/v1/jobs/\(id)/payload").text == "Hello")
                let other = try await visitor("other").get("/v1/jobs/\(audio)/payload")
                #expect(other.status == 404 && other.json["code"] as? String == "not_found")
            }
        }

        @Test func `under one key the same files are the same request, and others are refused`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                var form = GatewayForm()
                form.file("a", Self.large, type: "audio/mpeg")
                let first = try await visitor.post(form, key: "upload-1")
                let second = try await visitor.post(form, key: "upload-1")
                #expect(first.status == 201 && second.status == 200, "\(second.text)")
                #expect(first.json["id"] as? String == second.json["id"] as? String)
                var other = GatewayForm()
                other.file("a", Self.large.dropLast() + Data([1]), type: "audio/mpeg")
                let refused = try await visitor.post(other, key: "upload-1")
                #expect(refused.status == 409 && refused.json["code"] as? String == "key_conflict", "\(refused.text)")
            }
        }

        @Test func `an upload that is cut leaves nothing, and one without a scheduler is refused at once`() async throws
        {
            try await TestStack.with { stack in
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                func stored() -> [String] {
                    ((try? FileManager.default.subpathsOfDirectory(atPath: stack.directory + "/objects")) ?? [])
                        .filter { $0.count > 2 }
                }
                let early = try GatewayUpload(visitor, length: 1 << 30)
                #expect(early.answer().hasPrefix("HTTP/1.1 503"))
                #expect(stored().isEmpty)

                _ = try stack.startScheduler()
                try await gateway.eventually("the gateway is ready") { try await visitor.get("/readyz").status == 200 }
                var form = GatewayForm()
                form.file("a", Self.large + Self.large)
                do {
                    let upload = try GatewayUpload(visitor, length: 1 << 30)
                    try upload.send(form.bytes)
                    try await gateway.eventually("it is written as it comes") { !stored().isEmpty }
                    #expect(stored().allSatisfy { $0.hasPrefix(".incoming-") }, "\(stored())")
                }
                try await gateway.eventually("it is gone") { stored().isEmpty }
                #expect(try stack.number("SELECT count(*) FROM statex.jobs") == 0)
            }
        }

        @Test func `who asks before sending is told to go on, or why not`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let visitor = try GatewayVisitor(stack.startGateway())
                var form = GatewayForm()
                form.file("a", Self.large)
                let upload = try GatewayUpload(visitor, length: form.ended.count, asks: true)
                #expect(upload.answer() == "HTTP/1.1 100 Continue\r\n\r\n")
                try upload.send(form.ended)
                #expect(upload.answer().hasPrefix("HTTP/1.1 201"))
                let larger = try GatewayUpload(visitor, length: (1 << 30) + 1, asks: true)
                #expect(larger.answer().hasPrefix("HTTP/1.1 413"))
            }
        }

        @Test func `a large file is never held in memory`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let gateway = try stack.startGateway()
                let visitor = try GatewayVisitor(gateway)
                // What it takes to do this at all.
                var small = GatewayForm()
                small.file("a", Self.large)
                #expect(try await visitor.post(small).status == 201)
                let before = try peakMemory(of: gateway)
                let pieces = 256
                let start = Data(
                    "--\(GatewayForm.boundary)\r\nContent-Disposition: form-data; name=a; filename=a\r\n\r\n".utf8)
                let end = Data("\r\n--\(GatewayForm.boundary)--\r\n".utf8)
                let upload = try GatewayUpload(visitor, length: start.count + pieces * Self.large.count + end.count)
                try upload.send(start)
                for _ in 0..<pieces { try upload.send(Self.large) }
                try upload.send(end)
                #expect(upload.answer().hasPrefix("HTTP/1.1 201"))
                let grown = try peakMemory(of: gateway) - before
                // 77 MB went through.
                #expect(grown < 24 << 20, "\(grown) bytes more")
            }
        }

        @Test func `files go to S3 and come back from it`() async throws {
            let server = try S3TestServer()
            let settings = [
                "objects": "[s3://objects/uploads]", "s3_endpoint": server.endpoint,
                "s3_credentials_file": server.credentialsFile,
            ]
            try await TestStack.with(settings) { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let visitor = try GatewayVisitor(stack.startGateway())
                var form = GatewayForm()
                form.field("request", #"{"jobs":[{"kind":"echo","file":"a"}]}"#)
                form.file("a", Self.large)
                let created = try await visitor.post(form)
                let id = try #require(created.json["id"] as? String, "\(created.text)")
                #expect(try await visitor.finished(id).json["state"] as? String == "succeeded")
                let sum = try SHA256.digest(of: Array(Self.large))
                #expect(try server.keys() == ["uploads/" + StoredObject.path(of: sum)])
                #expect(try await visitor.get("/v1/jobs/\(id)/payload").body == Self.large)
                // Of a part that part is fetched, and of any the beginning, which says its type.
                for (range, most) in [(250_000...250_001, 65_538), (10...20, 65_536), (0...299_999, 300_000)] {
                    try server.order()
                    let part = try await visitor.get(
                        "/v1/jobs/\(id)/result", headers: ["Range": "bytes=\(range.lowerBound)-\(range.upperBound)"])
                    #expect(part.status == 206 && part.body == Self.large[range])
                    #expect(try server.sent() == most, "\(range)")
                }
                try server.order()
                let head = try await visitor.send("HEAD", "/v1/jobs/\(id)/payload")
                #expect(head.status == 200 && head.body.isEmpty && head.header("Content-Length") == "300000")
                #expect(head.header("Content-Type") == "application/octet-stream")
                #expect(try server.sent() == 65_536)
            }
        }

        /// In bytes.
        private func peakMemory(of process: RunningProcess) throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") })
            return try #require(line.split(separator: " ").dropFirst().first.flatMap { Int($0) }) << 10
        }
    }
}
