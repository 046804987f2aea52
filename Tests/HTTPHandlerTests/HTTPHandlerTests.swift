import Foundation
import StatexHandlerAPI
import StatexProtocol
import Testing

@testable import StatexHTTPHandler

@Suite("The http handler against a scripted server", .timeLimit(.minutes(1)))
struct HTTPHandlerTests {
    static let key = "sk-very-secret"
    let server: ScriptedServer

    init() throws { server = try ScriptedServer() }

    func run(
        _ path: String, _ payload: String = #"{"prompt":"hello"}"#, cancellation: Cancellation = Cancellation(),
        _ change: (inout HTTPHandlerSettings) -> Void = { _ in }
    ) async throws -> [UInt8] {
        var settings = HTTPHandlerSettings(url: server.url, path: path)
        settings.key = Self.key
        change(&settings)
        let handler = try HTTPHandler(kind: "chat", settings)
        let job = Job(
            id: JobID(rawValue: 1), kind: "chat", attempt: 1, payload: .bytes(Array(payload.utf8)),
            cancellation: cancellation)
        let result: Result<Payload, any Error>
        do { result = .success(try await handler.run(job)) } catch { result = .failure(error) }
        await handler.close()
        guard case .bytes(let bytes) = try result.get() else { return [] }
        return bytes
    }

    func failure(
        _ path: String, _ payload: String = "{}", cancellation: Cancellation = Cancellation(),
        _ change: (inout HTTPHandlerSettings) -> Void = { _ in }
    ) async -> HandlerError? {
        do {
            _ = try await run(path, payload, cancellation: cancellation, change)
            return nil
        } catch {
            return error as? HandlerError
        }
    }

    @Test("The payload is the request's body, the answer's body the result, the key a bearer token")
    func echo() async throws {
        let body = try await run("/v1/echo")
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect(answer["key"] as? String == "Bearer \(Self.key)")
        #expect(answer["type"] as? String == "application/json")
        #expect(answer["body"] as? [String: String] == ["prompt": "hello"])
    }

    @Test("Audio goes as a file of a form, with the configured fields")
    func audio() async throws {
        var settings = HTTPHandlerSettings(url: server.url, path: "/v1/audio/transcriptions")
        settings.fields = ["model": "tiny"]
        let handler = try HTTPHandler(kind: "audio", settings)
        let job = Job(
            id: JobID(rawValue: 1), kind: "audio", attempt: 1, payload: .bytes(Array("RIFF".utf8) + [0, 255]))
        guard case .bytes(let body) = try await handler.run(job) else { return }
        let answer = try #require(try JSONSerialization.jsonObject(with: Data(body)) as? [String: Any])
        #expect((answer["type"] as? String)?.hasPrefix("multipart/form-data; boundary=") == true)
        #expect(answer["has"] as? Bool == true)
        #expect(answer["model"] as? Bool == true)
        await handler.close()
    }

    @Test("429 and Retry-After become a delayed retry, in seconds or as a date")
    func retryAfter() async throws {
        let busy = await failure("/busy")
        #expect(busy == HandlerError("http_429", "the server answered 429: slow down", retryAfterMilliseconds: 7_000))
        let dated = try #require(await failure("/date"))
        #expect(dated.retryable)
        let wait = try #require(dated.retryAfterMilliseconds)
        #expect(wait > 50_000 && wait <= 60_000)
    }

    @Test(
        "Server errors are tried again, the client's are not, and the key is never in an error",
        arguments: [
            (500, true), (502, true), (408, true), (425, true), (400, false), (401, false), (404, false), (422, false),
        ])
    func statuses(_ status: Int, _ retryable: Bool) async throws {
        let error = try #require(await failure("/status/\(status)"))
        #expect(error.errorClass == "http_\(status)")
        #expect(error.retryable == retryable)
        #expect(!error.message.contains(Self.key))
    }

    @Test("A redirect is not followed: it would carry the key away")
    func redirect() async throws {
        let error = try #require(await failure("/redirect"))
        #expect(error.errorClass == "http_307")
        #expect(!error.retryable)
    }

    @Test(
        "An answer that is too large is a failure, whether its length is told or not",
        arguments: ["/large", "/endless"])
    func tooLarge(_ path: String) async throws {
        let error = await failure(path) { $0.largestResponseBytes = 50_000 }
        #expect(error?.errorClass == "response_too_large")
        #expect(error?.retryable == false)
    }

    @Test("An answer that is not JSON is a failure that is tried again")
    func notJSON() async throws {
        #expect(await failure("/html") == HandlerError("bad_response", "the server's answer is not JSON"))
    }

    @Test("No answer in time, a dropped connection, and no server at all are tried again")
    func network() async throws {
        #expect(await failure("/never") { $0.timeout = 0.2 }?.errorClass == "http_timeout")
        #expect(await failure("/drop")?.errorClass == "network")
        let refused = try #require(await failure("/v1/echo") { $0.url = "http://127.0.0.1:1" })
        #expect(refused.errorClass == "network" && refused.retryable)
    }

    @Test("The limit for connecting is over once the request has left, however long the answer takes")
    func connected() async throws {
        let error = await failure("/never") {
            $0.connectTimeout = 0.1
            $0.timeout = 0.5
        }
        #expect(error?.errorClass == "http_timeout")
    }

    @Test("A cancelled job ends at once, also when it was cancelled before it began", arguments: [true, false])
    func cancelled(_ before: Bool) async throws {
        let cancellation = Cancellation()
        if before { cancellation.cancel(.cancelled) }
        async let error = failure("/never", cancellation: cancellation)
        if !before {
            try server.awaitRequest()
            cancellation.cancel(.cancelled)
        }
        #expect(await error?.errorClass == "stopped")
    }

    @Test(
        "A payload that is not a JSON object, or asks for a stream, is not sent",
        arguments: ["", "[]", "x", #"{"stream":true}"#])
    func badPayload(_ payload: String) async throws {
        let error = try #require(await failure("/v1/echo", payload))
        #expect(error.errorClass == "bad_payload")
        #expect(!error.retryable)
    }
}

@Suite("Settings and Retry-After of the http handler")
struct HTTPSettingsTests {
    @Test(
        "A URL that cannot work is refused with the key's name",
        arguments: ["", "127.0.0.1:80", "ftp://h", "http://", "http://user:pw@h", "http://h?x=1", "http://h#f"])
    func badURL(_ url: String) {
        #expect(throws: HTTPHandlerSettings.Problem.self) {
            try HTTPHandler(kind: "chat", HTTPHandlerSettings(url: url, path: "/v1/x"))
        }
    }

    @Test("A key that would break the header is refused", arguments: ["a b", "a\r\nX: y", "ä"])
    func badKey(_ key: String) {
        var settings = HTTPHandlerSettings(url: "http://h", path: "/v1/x")
        settings.key = key
        #expect(throws: HTTPHandlerSettings.Problem.self) { try HTTPHandler(kind: "chat", settings) }
    }

    @Test("Retry-After is read as seconds or a date, and bounded")
    func retryAfter() {
        let now = Date(timeIntervalSince1970: 1_445_412_480)  // Wed, 21 Oct 2015 07:28:00 GMT
        #expect(AnswerRules.wait("0", now: now) == 0)
        #expect(AnswerRules.wait(" 120 ", now: now) == 120_000)
        #expect(AnswerRules.wait("99999999999999999999", now: now) == 86_400_000)
        #expect(AnswerRules.wait("Wed, 21 Oct 2015 07:28:30 GMT", now: now) == 30_000)
        #expect(AnswerRules.wait("Wed, 21 Oct 2015 07:00:00 GMT", now: now) == 0)
        #expect(AnswerRules.wait("soon", now: now) == nil)
        #expect(AnswerRules.wait("", now: now) == nil)
    }
}

/// Set `STATEX_TEST_OPENAI_URL` to the address of an OpenAI-compatible server that completes text.
@Suite(
    "The http handler against a real server", .timeLimit(.minutes(2)),
    .enabled(if: ProcessInfo.processInfo.environment["STATEX_TEST_OPENAI_URL"] != nil))
struct RealServerTests {
    func run(_ path: String, _ payload: String) async throws -> Data {
        let url = try #require(ProcessInfo.processInfo.environment["STATEX_TEST_OPENAI_URL"])
        let handler = try HTTPHandler(kind: "llm", HTTPHandlerSettings(url: url, path: path))
        let job = Job(id: JobID(rawValue: 1), kind: "llm", attempt: 1, payload: .bytes(Array(payload.utf8)))
        let result = try await handler.run(job)
        await handler.close()
        guard case .bytes(let body) = result else { return Data() }
        return Data(body)
    }

    @Test("A completion has a text, and a chat an answer")
    func completes() async throws {
        struct Completion: Decodable {
            struct Choice: Decodable { var text: String }
            var choices: [Choice]
        }
        struct Chat: Decodable {
            struct Message: Decodable { var content: String }
            struct Choice: Decodable { var message: Message }
            var choices: [Choice]
        }
        let prompt = #"{"prompt":"One, two, three, four,","max_tokens":4,"temperature":0}"#
        let completion = try JSONDecoder().decode(Completion.self, from: try await run("/v1/completions", prompt))
        #expect(completion.choices.first?.text.contains("five") == true)
        let question = #"{"messages":[{"role":"user","content":"Say hello."}],"max_tokens":8}"#
        let chat = try JSONDecoder().decode(Chat.self, from: try await run("/v1/chat/completions", question))
        #expect(chat.choices.first?.message.content.isEmpty == false)
    }

    @Test("What the server refuses is a failure that is not tried again")
    func refuses() async throws {
        await #expect {
            try await run("/v1/chat/completions", #"{"messages":"none"}"#)
        } throws: { error in
            guard let error = error as? HandlerError else { return false }
            return error.errorClass == "http_400" && !error.retryable
        }
    }
}
