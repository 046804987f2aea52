import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import Testing

@testable import StatexGateway

/// What bodies have in memory is bounded, in all and for each subject, by what has arrived.
struct BodyMemoryTests {
    private static let free = GatewayLimits.bodyFreeBytes

    /// Takes so much for a new call, which goes on.
    private func call(_ subject: String, takes count: Int, of memory: BodyMemory) throws(Problem) -> BodyShare {
        let share = memory.share(of: subject)
        try share.take(Self.free + count)
        return share
    }

    @Test func `a subject has a quarter, and what is given back is there for the next`() throws {
        let memory = BodyMemory(bytes: 4_000, largest: 10)
        let calls = try (0..<2).map { _ in try call("ada", takes: 500, of: memory) }
        let refused = memory.share(of: "ada")
        try refused.take(Self.free)
        let problem = #expect(throws: Problem.self) { try refused.take(1) }
        #expect(problem?.status == .tooManyRequests && problem?.headers[.retryAfter] == "1")
        // What another one has does not count for it.
        _ = try call("bob", takes: 500, of: memory)
        calls[0].giveBack()
        // Once, however often.
        calls[0].giveBack()
        try refused.take(500)
        #expect(throws: Problem.self) { try refused.take(1) }
        #expect(memory.count == 1_500)
    }

    @Test func `what is announced takes no room, and is refused at once if there is none`() throws {
        let memory = BodyMemory(bytes: 4_000, largest: 10)
        for _ in 0..<100 { try memory.share(of: "ada").check(announced: Self.free + 1_000) }
        let problem = #expect(throws: Problem.self) {
            try memory.share(of: "ada").check(announced: Self.free + 1_001)
        }
        #expect(problem?.status == .tooManyRequests)
        #expect(memory.count == 0)
        _ = try call("ada", takes: 1_000, of: memory)
        #expect(throws: Problem.self) { try memory.share(of: "ada").check(announced: Self.free + 1) }
        // It counts for nobody.
        try memory.share(of: "ada").check(announced: Self.free)
        try memory.share(of: "bob").check(announced: Self.free + 1_000)
    }

    @Test func `some who take all that they get leave room for the next one`() throws {
        let memory = BodyMemory(bytes: 16_000, largest: 10)
        var had: [Int] = []
        for subject in ["a", "b", "c", "d", "e"] {
            let share = memory.share(of: subject)
            try share.take(Self.free)
            var count = 0
            while (try? share.take(1)) != nil { count += 1 }
            had.append(count)
        }
        #expect(had == [4_000, 4_000, 4_000, 2_000, 1_000])
        let problem = #expect(throws: Problem.self) { try call("f", takes: 501, of: memory) }
        #expect(problem?.status == .serviceUnavailable && problem?.code == "busy")
        _ = try call("f", takes: 500, of: memory)
    }

    @Test func `four of the largest always have room`() throws {
        let memory = BodyMemory(bytes: 1, largest: 1_000)
        #expect(memory.bytes == 4_000)
        try memory.share(of: "ada").check(announced: Self.free + 1_000)
    }

    private static func head(_ token: String, _ length: String) -> [UInt8] {
        let lines = [
            "POST /v1/requests HTTP/1.1", "Host: x", "Authorization: Bearer \(token)", "Content-Type: application/json",
            length, "", "",
        ]
        return Array(lines.joined(separator: "\r\n").utf8)
    }

    @Test(.timeLimit(.minutes(2)))
    func `who sends many halves of bodies is refused more, and others get theirs taken`() async throws {
        // A subject has 256 KiB: four of these halves, of which the first 8 KiB count for nobody.
        let scene = try await Scene(bodyLimit: 64 << 10, bodyMemory: 1 << 20)
        let token = try await Scene.token(subject: "ada")
        let spaces = [UInt8](repeating: 0x20, count: 62 << 10)
        let announced = Self.head(token, "Content-Length: \(64 << 10)") + spaces
        let chunked = Self.head(token, "Transfer-Encoding: chunked") + Array("F800\r\n".utf8) + spaces
        var ada = Scene.bearer(token)
        var bob = Scene.bearer(try await Scene.token(subject: "bob"))
        (ada[.contentType], bob[.contentType]) = ("application/json", "application/json")
        let headers = (ada: ada, bob: bob)
        try await scene.gateway.application().test(.live) { client in
            let port = try #require(client.port)
            try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<4 { group.addTask { try await RawConnection().answer(to: announced, at: port) } }
                let until = ContinuousClock.now + .seconds(20)
                // No signal tells what a connection has taken in: it is looked at again and again.
                while scene.gateway.bodies.count < 4 * (54 << 10), .now < until { await Task.yield() }
                #expect(scene.gateway.bodies.count == 4 * (54 << 10))
                for index in 0..<16 {
                    let half = index < 8 ? announced : chunked
                    group.addTask { try await RawConnection().answer(to: half, at: port) }
                }
                for _ in 0..<16 {
                    let text = try #require(try await group.next())
                    #expect(text.hasPrefix("HTTP/1.1 429"), "\(text)")
                    #expect(text.lowercased().contains("\r\nretry-after: 1\r\n"), "\(text)")
                }
                let large = #"{"jobs":[{"kind":"a","payload":"\#(String(repeating: "x", count: 60 << 10))"}]}"#
                let small = #"{"jobs":[{"kind":"a"}]}"#
                for (headers, body, code) in [
                    // Taken: what is missing is the scheduler.
                    (headers.bob, large, "scheduler_away"), (headers.ada, small, "scheduler_away"),
                    (headers.ada, large, "too_many"),
                ] {
                    let response = try await client.execute(
                        uri: "/v1/requests", method: .post, headers: headers, body: ByteBuffer(string: body))
                    #expect(try ReadProblem(response).code == code)
                }
                group.cancelAll()
            }
        }
    }

    @Test func `nothing is left of bodies that were answered`() async throws {
        let scene = try await Scene(bodyLimit: 64 << 10)
        let headers = try await Scene.json()
        let text = String(repeating: "x", count: 60 << 10)
        for body in [#"{"jobs":[{"kind":"a","payload":"\#(text)"}]}"#, text, #"{"odd":"\#(text)"}"#] {
            _ = try await scene.ask(.post, "/v1/requests", headers, body)
            #expect(scene.gateway.bodies.count == 0)
        }
    }
}
