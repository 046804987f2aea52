import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import StatexClient
import StatexObjects
import StatexProtocol
import Testing

@testable import StatexGateway

/// Forms that become objects and jobs, or leave nothing.
final class UploadTests {
    private let folder = NSTemporaryDirectory() + "statex-uploads-\(UInt64.random(in: .min ... .max))"

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func uploads(
        formBytes: Int = 1 << 20, fileBytes: Int = 200_000, fieldBytes: Int = 1_000
    ) -> Uploads {
        var settings = GatewaySettings(
            host: "127.0.0.1", port: 0, tokens: Scene.tokens, submitEndpoint: "ipc:///nowhere", eventsEndpoint: "",
            journalURL: "",
            largestObject: fileBytes, bodyLimit: fieldBytes)
        settings.uploadLimit = formBytes
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return Uploads(settings, ObjectPlaces([folder], S3Access(), logger: logger))
    }

    private func request(
        _ pieces: [String], type: String = "multipart/form-data; boundary=xyz", length: Int? = nil
    ) -> Hummingbird.Request {
        var head = HTTPRequest(method: .post, scheme: nil, authority: nil, path: "/v1/requests")
        head.headerFields[.contentType] = type
        if let length { head.headerFields[.contentLength] = String(length) }
        let stream = AsyncStream<ByteBuffer> { continuation in
            for piece in pieces { continuation.yield(ByteBuffer(string: piece)) }
            continuation.finish()
        }
        return Hummingbird.Request(head: head, body: RequestBody(asyncSequence: stream))
    }

    private func share(
        _ subject: String = "tester", of memory: BodyMemory = BodyMemory(bytes: 1 << 20, largest: 1_000)
    ) -> BodyShare {
        memory.share(of: subject)
    }

    private static let end = "--xyz--\r\n"

    private static func part(_ lines: String, _ content: String) -> String {
        "--xyz\r\nContent-Disposition: form-data; \(lines)\r\n\r\n\(content)\r\n"
    }

    private static func file(_ field: String, _ content: String, type: String? = nil, name: String = "a") -> String {
        part("name=\"\(field)\"; filename=\"\(name)\"" + (type.map { "\r\nContent-Type: \($0)" } ?? ""), content)
    }

    private func submit(_ parts: String..., to uploads: Uploads? = nil) async throws -> SubmitBody {
        try SubmitBody(try await (uploads ?? self.uploads()).read(request(parts + [Self.end]), of: share()))
    }

    private func refusal(_ parts: String..., to uploads: Uploads? = nil) async -> Problem? {
        do {
            _ = try SubmitBody(try await (uploads ?? self.uploads()).read(request(parts + [Self.end]), of: share()))
            return nil
        } catch { return error as? Problem }
    }

    private func stored() throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: folder).filter { $0.count > 2 }.sorted()
    }

    /// Whether these files are left, once the threads that wrote have let go of the others.
    private func left(_ paths: [String]) async throws -> Bool {
        let until = ContinuousClock.now + .seconds(20)
        func isSo() throws -> Bool { try (FileManager.default.fileExists(atPath: folder) ? stored() : []) == paths }
        while try !isSo(), .now < until { try await Task.sleep(for: .milliseconds(1)) }
        return try isSo()
    }

    private func content(_ payload: Payload) throws -> String {
        guard case .object(let text) = payload else { return "\(payload)" }
        let bytes = try ObjectFolder(root: folder).read(ObjectReference(text: text), limit: 1 << 20)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func `each file and each text is a job of its kind, in their order`() async throws {
        let large = String(repeating: "0123456789", count: 15_000)
        let body = try await submit(
            Self.file("a", large, type: "audio/wav"), Self.part("name=\"text\"", "Hällo"),
            Self.file("b", "", type: "text/csv"), Self.file("b", "x", type: "application/pdf"), Self.file("c", "y"),
            Self.part("name=text", ""), Self.file("none", "", name: ""))
        let jobs = body.jobs.map(\.job)
        #expect(jobs.map(\.kind) == ["audio", "text", "text", "file", "file"])
        #expect(jobs[1].payload == .text("Hällo"))
        #expect(try content(jobs[0].payload) == large)
        #expect(try [2, 3, 4].map { try content(jobs[$0].payload) } == ["", "x", "y"])
        // As they are stored by anybody: named by their content.
        #expect(try stored().count == 4)
        #expect(try stored().allSatisfy { $0.hasPrefix($0.dropFirst(3).prefix(2) + "/") })
    }

    @Test func `jobs of a request name their files, which may come before it or behind`() async throws {
        let json =
            #"{"jobs":[{"kind":"k","file":"two","priority":1},{"kind":"k","file":"one"},{"kind":"k","file":"two"}]}"#
        let one = Self.file("one", "1")
        let two = Self.file("two", "2", name: "../../../etc/passwd")
        let request = Self.part("name=request; filename=blob\r\nContent-Type: application/json", json)
        for order in [[request, one, two], [two, one, request], [one, request, two]] {
            let form = try await uploads().read(self.request(order + [Self.end]), of: share())
            let jobs = try SubmitBody(form).jobs.map(\.job)
            #expect(try jobs.map { try content($0.payload) } == ["2", "1", "2"])
            #expect(jobs[0].priority == 1 && jobs.allSatisfy { $0.kind == "k" })
        }
        #expect(try stored().count == 2)
    }

    @Test func `the same bytes make the same request`() async throws {
        let first = try await submit(Self.file("a", "same", type: "audio/wav"))
        let second = try await submit(Self.file("a", "same", type: "audio/wav"))
        let other = try await submit(Self.file("a", "other", type: "audio/wav"))
        #expect(first.jobs[0].job.payload == second.jobs[0].job.payload)
        #expect(first.jobs[0].job.payload != other.jobs[0].job.payload)
    }

    @Test func `what is wrong names its field`() async throws {
        let request = { (jobs: String) in Self.part("name=request", #"{"jobs":[\#(jobs)]}"#) }
        let cases: [([String], String)] = [
            ([], "form"), ([Self.part("name=text", "")], "form"),
            ([Self.part("name=text", "a\0b")], "text"), ([Self.part("name=odd", "x")], "odd"),
            ([request(#"{"kind":"a","file":"no"}"#)], "jobs[0].file"),
            (
                [request(#"{"kind":"a"},{"kind":"a","file":"f"}"#), Self.file("f", "1"), Self.file("f", "2")],
                "jobs[1].file"
            ),
            ([request(#"{"kind":"a"}"#), Self.file("f", "1")], "f"),
            ([request(#"{"kind":"a"}"#), Self.part("name=text", "x")], "text"),
            ([request(#"{"kind":"a"}"#), request(#"{"kind":"a"}"#)], "request"),
            ([request(#"{"kind":"a b"}"#)], "jobs[0].kind"),
            ([request(#"{"kind":"a","file":"f","payload":"x"}"#)], "jobs[0].file"),
            ([request(#"{"kind":"a","file":"f","payload_base64":""}"#)], "jobs[0].file"),
            ([request(#"{"kind":"a","file":""}"#)], "jobs[0].file"),
            ((0...GatewayLimits.uploadParts).map { _ in Self.part("name=text", "x") }, "form"),
        ]
        for (parts, field) in cases {
            let problem = await refusal(parts.joined())
            #expect(problem?.status == .unprocessableContent, "\(field)")
            #expect(problem?.fields.map(\.field) == [field], "\(String(describing: problem?.detail))")
        }
        let unreadable = await refusal(Self.part("name=request", "{"))
        #expect(unreadable?.code == "malformed" && unreadable?.detail.hasPrefix("the part request") == true)
    }

    @Test func `in JSON alone a job names no file`() throws {
        var job = JobBody(JobSpec(kind: "a"))
        job.file = "f"
        var body = SubmitBody(jobs: [job])
        #expect(throws: Problem.self) { try body.attach([]) }
    }

    @Test func `what is larger than its limit is refused, and leaves nothing`() async throws {
        let large = String(repeating: "x", count: 1_001)
        for (parts, uploads) in [
            ([Self.file("f", large + large)], uploads(fileBytes: 2_000)),
            ([Self.file("f", String(repeating: large, count: 600))], uploads(fileBytes: 300_000)),
            ([Self.part("name=text", large)], uploads()),
            ([Self.part("name=request", large)], uploads()),
            (
                [Self.part("name=text", String(large.prefix(600))), Self.part("name=text", String(large.prefix(600)))],
                uploads()
            ),
            ([Self.part("name=text", "x"), Self.file("f", large)], uploads(formBytes: 1_000)),
        ] {
            let problem = await refusal(parts.joined(), to: uploads)
            #expect(problem?.status == .contentTooLarge && problem?.code == "too_large")
            #expect(try await left([]))
        }
        let told = request([], length: 1_001)
        await #expect(throws: Problem.tooLarge("the form", limit: 1_000)) {
            _ = try await self.uploads(formBytes: 1_000).read(told, of: self.share())
        }
    }

    @Test func `a form that is cut leaves nothing but files that had come whole`() async throws {
        let large = String(repeating: "x", count: 150_000)
        let pieces = [
            Self.file("one", "1"), "--xyz\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n" + large,
        ]
        await #expect(throws: Problem.self) {
            _ = try await self.uploads(fileBytes: 300_000).read(self.request(pieces + [large]), of: self.share())
        }
        // Two digits, a slash, and its sum: a sweep takes it when it is old.
        let one = try SHA256.digest(of: Array("1".utf8))
        #expect(try await left([StoredObject.path(of: one)]))
    }

    @Test func `fields are held in memory: for them there is as little room as for other bodies`() async throws {
        let memory = BodyMemory(bytes: 64 << 10, largest: 0)
        let uploads = uploads(fieldBytes: 1 << 20)
        let text = String(repeating: "x", count: GatewayLimits.bodyFreeBytes + memory.bytesOfSubject)
        let small = share(of: memory)
        _ = try await uploads.read(request([Self.part("name=text", text), Self.end]), of: small)
        #expect(memory.count == memory.bytesOfSubject)
        let large = share("another", of: memory)
        do {
            _ = try await uploads.read(request([Self.part("name=text", text + "x"), Self.end]), of: large)
            Issue.record("it was taken")
        } catch let problem as Problem {
            #expect(problem.status == .tooManyRequests)
        }
        // Files are not.
        let file = Self.file("a", text + text)
        _ = try await uploads.read(request([file, Self.end]), of: share("a third", of: memory))
        for share in [small, large] { share.giveBack() }
        #expect(memory.count == 0)
    }

    @Test(arguments: [1, GatewayLimits.uploads / GatewayLimits.uploadsOfSubject])
    func `more uploads at once than there may be are refused, and those under way go on`(subjects: Int) async throws {
        let uploads = uploads()
        let (begun, beginning) = AsyncStream.makeStream(of: Void.self)
        var held: [AsyncStream<ByteBuffer>.Continuation] = []
        try await withThrowingTaskGroup(of: Void.self) { group in
            for subject in 0..<subjects {
                for _ in 0..<GatewayLimits.uploadsOfSubject {
                    let (stream, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
                    held.append(continuation)
                    var request = request([])
                    request.body = RequestBody(asyncSequence: stream)
                    let (sent, share) = (request, self.share(subject == 0 ? "tester" : "\(subject)"))
                    group.addTask {
                        _ = try await uploads.read(sent, of: share) {
                            beginning.yield()
                        }
                    }
                }
            }
            var begins = begun.makeAsyncIterator()
            for _ in held { _ = await begins.next() }
            for subject in ["tester", "another"] {
                do {
                    _ = try await uploads.read(request([Self.file("a", "1"), Self.end]), of: share(subject))
                    #expect(subject == "another" && subjects == 1)
                } catch let problem as Problem {
                    #expect(problem.status == (subject == "tester" ? .tooManyRequests : .serviceUnavailable))
                    #expect(subject == "tester" || subjects > 1)
                }
            }
            for continuation in held {
                continuation.yield(ByteBuffer(string: Self.file("a", "1") + Self.end))
                continuation.finish()
            }
            try await group.waitForAll()
        }
        #expect(try await submit(Self.file("a", "1"), to: uploads).jobs.count == 1)
    }

    @Test(arguments: [
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=a b",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a\u{E4}\"",
        "multipart/form-data; boundary=\"\(String(repeating: "a", count: 71))\"",
        "multipart/form-data; boundary=a; boundary=b",
    ])
    func `a boundary that is none is refused`(type: String) async throws {
        do {
            _ = try await uploads().read(request([], type: type), of: share())
            Issue.record("it was taken")
        } catch let problem as Problem {
            #expect(problem.status == .badRequest)
        }
    }
}
