import Glibc
import StatexHandlerAPI
import StatexProtocol
import Testing

@testable import StatexHTTPHandler

@Suite struct RequestTests {
    @Test func `the payload goes out and the server's JSON comes back, byte for byte`() throws {
        let seen = Seen()
        let payload = #" {"model":"m", "prompt":"é\n"} "#
        let answer = ask(payload, key: secret) { peer in
            seen.add(peer.request())
            peer.answer(#"{"choices": [ {"text":"è"} ]}"#)
        }
        #expect(answer == .success(#"{"choices": [ {"text":"è"} ]}"#))
        let request = try #require(seen.first)
        #expect(request.head.hasPrefix("POST /v1/completions HTTP/1.1\r\n"))
        #expect(request.has("Content-Type: application/json"))
        #expect(request.has("Authorization: Bearer \(secret)"))
        #expect(request.body == Array(payload.utf8))
    }

    @Test func `without a key none is sent, and without a trace none`() throws {
        let seen = Seen()
        _ = ask { peer in
            seen.add(peer.request())
            peer.answer("{}")
        }
        let head = try #require(seen.first).head
        #expect(!head.contains("Authorization") && !head.contains("traceparent"))
    }

    @Test func `the server is told which trace the job belongs to`() throws {
        let seen = Seen()
        let trace = try #require(TraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
        let server = ScriptedServer { peer in
            seen.add(peer.request())
            peer.answer("{}")
        }
        defer { server.stop() }
        let settings = HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")
        _ = ask(Array(#"{"prompt":"x"}"#.utf8), settings, trace: trace)
        #expect(try #require(seen.first).has("traceparent: \(trace)"))
    }

    @Test(arguments: [
        "", "[]", "null", "text", "{", #"{"a":1}x"#, #"{"stream":true}"#, #"{"stream":1}"#, #"{"stream":"true"}"#,
    ])
    func `a payload that the endpoint cannot take is refused before anybody is asked`(payload: String) {
        let server = ScriptedServer { $0.answer("{}") }
        defer { server.stop() }
        let error = ask(Array(payload.utf8), HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")).error
        #expect(error?.errorClass == "payload")
        #expect(error?.retryable == false)
        #expect(server.count == 0)
    }

    @Test(arguments: [#"{"stream":false}"#, #"{"stream":null}"#])
    func `a payload that asks for no stream passes`(payload: String) {
        let answer = ask(payload) { peer in
            peer.request()
            peer.answer("{}")
        }
        #expect(answer == .success("{}"))
    }

    @Test func `a request that is larger than the buffers between goes out whole`() throws {
        let seen = Seen()
        let payload = #"{"input":""# + String(repeating: "x", count: 20 << 20) + #""}"#
        let answer = ask(payload) { peer in
            seen.add(peer.request())
            peer.answer("{}")
        }
        #expect(answer == .success("{}"))
        #expect(try #require(seen.first).body.count == payload.utf8.count)
    }

    @Test func `a refusal in the middle of the request is heard`() {
        let payload = #"{"input":""# + String(repeating: "x", count: 20 << 20) + #""}"#
        let answer = ask(payload) { peer in
            _ = peer.receive()
            peer.answer(#"{"error":{"message":"at most 1 MB"}}"#, status: "413 Too Large")
            peer.awaitEnd()
        }
        #expect(answer.error == HandlerError("http_413", "the server answered 413: at most 1 MB", retryable: false))
    }

    @Test func `a recording goes out as a form, with the options of the configuration`() throws {
        let seen = Seen()
        let recording = Array("RIFF\0\0\0\0WAVE".utf8) + (0...255).map { UInt8($0) }
        let server = ScriptedServer { peer in
            seen.add(peer.request())
            peer.answer(#"{"text":"hello"}"#)
        }
        defer { server.stop() }
        var settings = HTTPSettings(kind: "t", url: server.url, path: "/v1/audio/transcriptions")
        settings.fields = ["model": "whisper-1", "language": "de"]
        #expect(ask(recording, settings) == .success(#"{"text":"hello"}"#))
        let request = try #require(seen.first)
        let type = try #require(request.head.split(separator: "\r\n").first { $0.hasPrefix("Content-Type: ") })
        let boundary = try #require(type.split(separator: "boundary=").last)
        let before = """
            --\(boundary)\r
            Content-Disposition: form-data; name="language"\r
            \r
            de\r
            --\(boundary)\r
            Content-Disposition: form-data; name="model"\r
            \r
            whisper-1\r
            --\(boundary)\r
            Content-Disposition: form-data; name="file"; filename="audio.wav"\r
            Content-Type: audio/wav\r
            \r

            """
        #expect(request.body == Array(before.utf8) + recording + Array("\r\n--\(boundary)--\r\n".utf8))
    }

    @Test func `a recording's name follows its first bytes`() {
        let beginnings: [(String, [UInt8])] = [
            ("audio.wav", Array("RIFF....WAVE".utf8)), ("audio.flac", Array("fLaC".utf8)),
            ("audio.ogg", Array("OggS".utf8)), ("audio.m4a", Array("....ftypM4A".utf8)),
            ("audio.webm", [0x1A, 0x45, 0xDF, 0xA3]), ("audio.mp3", Array("ID3".utf8)), ("audio.mp3", [0xFF, 0xFB]),
            ("audio", []), ("audio", [0xFF]), ("audio", Array("RIFF....AVI ".utf8)),
        ]
        for (name, bytes) in beginnings { #expect(SoundFormat(bytes).fileName == name) }
    }

    @Test func `an object's bytes are read within the limit, and failing that the job fails`() throws {
        let seen = Seen()
        let server = ScriptedServer { peer in
            seen.add(peer.request())
            peer.answer("{}")
        }
        defer { server.stop() }
        var settings = HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")
        let job = Job(id: JobID(rawValue: 1), kind: "t", attempt: 1, payload: .object(reference: [1]))
        #expect(throws: HandlerError("object", "this worker has no object folder", retryable: false)) {
            try HTTPHandler(settings).attempt(job)
        }
        let text = Array(#"{"prompt":"from the object"}"#.utf8)
        settings.requestBytes = 100
        settings.readObject = { reference, limit throws(HandlerError) in reference == [1] && limit == 100 ? text : [] }
        #expect(try HTTPHandler(settings).attempt(job) == .bytes(Array("{}".utf8)))
        #expect(seen.first?.body == text)
        settings.requestBytes = 4
        settings.readObject = { _, _ throws(HandlerError) in text }
        #expect(throws: HandlerError("payload", "the payload has 28 bytes, the limit is 4", retryable: false)) {
            try HTTPHandler(settings).attempt(job)
        }
        #expect(server.count == 1)
    }

    @Test(arguments: [
        ("http://127.0.0.1:8000", "127.0.0.1", 8000), ("https://models.internal", "models.internal", 443),
        ("http://[::1]:81", "::1", 81), ("http://[::1]", "::1", 80), ("http://a/", "a", 80),
    ])
    func `a URL names a host and a port`(url: String, host: String, port: Int) throws {
        let address = try ServerAddress(url: url)
        #expect(address.host == host)
        #expect(Int(address.port) == port)
        #expect(address.isSecure == url.hasPrefix("https"))
    }

    @Test(arguments: [
        "", "http://", "ftp://a", "http://a:0", "http://a:65536", "http://a:", "http://a:1:2", "http://a/b",
        "http://[::1",
        "http://[::1]x", "http://u@a", "http://a b", "http://ä", "http://:80",
    ])
    func `a URL that is none makes the handler unavailable, and its jobs fail`(url: String) async {
        let settings = HTTPSettings(kind: "t", url: url, path: "/v1/completions")
        #expect(await HTTPHandler(settings).unavailable()?.hasPrefix("url ") == true)
        #expect(ask(Array("{}".utf8), settings).error?.errorClass == "http_url")
    }

    @Test func `a key that cannot be read makes the handler unavailable, and its jobs wait for it`() async {
        var settings = HTTPSettings(kind: "t", url: "http://127.0.0.1:1", path: "/v1/completions")
        settings.readKey = { () throws(UnreadableKey) in throw UnreadableKey("key_file /k: no such file") }
        #expect(await HTTPHandler(settings).unavailable() == "key_file /k: no such file")
        #expect(
            ask(Array("{}".utf8), settings).error
                == HandlerError("http_key", "key_file /k: no such file", retryable: true))
    }

    @Test func `a server that is down does not make the handler unavailable`() async {
        let (port, descriptor) = ScriptedServer.refusingPort()
        defer { close(descriptor) }
        let settings = HTTPSettings(kind: "t", url: "http://127.0.0.1:\(port)", path: "/v1/completions")
        #expect(await HTTPHandler(settings).unavailable() == nil)
    }
}
