import Foundation
import StatexHandlerAPI
import StatexProtocol
import Testing

@testable import StatexHTTPHandler

private let python = path("../../.venv/bin/python3")
private let isInstalled = {
    let files = FileManager.default
    let libraries = path("../../.venv/lib")
    let versions = (try? files.contentsOfDirectory(atPath: libraries)) ?? []
    return files.fileExists(atPath: path("../../.models/gemma3-270m/gemma-3-270m-q4_k_m.gguf"))
        && versions.contains { files.fileExists(atPath: "\(libraries)/\($0)/site-packages/xllamacpp") }
}()

/// A real server: llama.cpp with a small model.
@Suite(.enabled(if: isInstalled, "the local model is not installed: scripts/setup --generation"))
struct GenerationServerTests {
    private let server: ServerProcess
    private let url: String

    init() throws {
        server = try ServerProcess(python, [path("../HandlerPrograms/generation_server.py"), "0", secret])
        let line = try JSONObject(Array(server.firstLine.utf8))
        url = try #require(line.string("url"))
    }

    private func ask(
        _ path: String, _ payload: String, key: String? = secret, timeout: Int = 60_000,
        _ cancellation: Cancellation = Cancellation()
    ) -> Result<String, HandlerError> {
        var settings = HTTPSettings(kind: "t", url: url, path: path)
        settings.readKey = { () throws(UnreadableKey) in key }
        settings.timeoutMilliseconds = timeout
        return HTTPHandlerTests.ask(Array(payload.utf8), settings, cancellation)
    }

    private func answer(_ path: String, _ payload: String) throws -> [String: Any] {
        let text = try ask(path, payload).get()
        return try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func `it completes, chats and embeds`() throws {
        let prompt =
            #"{"prompt":"Paris is the capital of France. Rome is the capital of","max_tokens":3,"temperature":0}"#
        let completion = try answer("/v1/completions", prompt)
        let choice = try #require((completion["choices"] as? [[String: Any]])?.first)
        #expect((choice["text"] as? String)?.contains("Italy") == true, "\(completion)")

        let chat = try answer(
            "/v1/chat/completions", #"{"messages":[{"role":"user","content":"Hello"}],"max_tokens":4}"#)
        let message = try #require((chat["choices"] as? [[String: Any]])?.first?["message"] as? [String: Any])
        #expect(message["content"] is String, "\(chat)")

        let embeddings = try answer("/v1/embeddings", #"{"input":["one","two"]}"#)
        let vectors = try #require(embeddings["data"] as? [[String: Any]]).compactMap { $0["embedding"] as? [Double] }
        #expect(vectors.count == 2 && vectors.allSatisfy { $0.count == 640 })
    }

    @Test func `what it refuses is refused in its words, and not tried again`() {
        let missing = ask("/v1/chat/completions", "{}").error
        #expect(
            missing == HandlerError("http_400", "the server answered 400: 'messages' is required", retryable: false))
        let strange = ask("/v1/nothing", "{}").error
        #expect(strange == HandlerError("http_404", "the server answered 404: File Not Found", retryable: false))
        for key in [nil, "sk-0000000000000000"] {
            let error = ask("/v1/completions", "{}", key: key).error
            #expect(error?.errorClass == "http_401")
            #expect(error?.retryable == false)
        }
        let audio = ask("/v1/audio/transcriptions", "RIFF....WAVE").error
        #expect(audio?.retryable == false, "\(String(describing: audio))")
    }

    @Test func `it is left alone after a timeout, and answers the next job`() {
        let long = #"{"prompt":"Count: 1 2 3","max_tokens":2000,"ignore_eos":true}"#
        #expect(ask("/v1/completions", long, timeout: 300).error?.errorClass == "http_timeout")
        let short = ask("/v1/completions", #"{"prompt":"Hello","max_tokens":1}"#)
        #expect(short.error == nil)
    }
}
