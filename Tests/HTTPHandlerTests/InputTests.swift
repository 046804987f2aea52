import StatexHandlerAPI
import Testing

@testable import StatexHTTPHandler

@Suite("Results of other jobs") struct InputTests {
    private func input(_ job: Int, _ result: String) -> JobInput {
        JobInput(job: job, payload: .bytes(Array(result.utf8)))
    }

    /// What the server was sent.
    private func sent(_ payload: String, _ inputs: [JobInput], path: String = "/v1/chat/completions") throws
        -> String
    {
        let seen = Seen()
        let server = ScriptedServer { peer in
            seen.add(peer.request())
            peer.answer("{}")
        }
        defer { server.stop() }
        _ = try ask(
            Array(payload.utf8), HTTPSettings(kind: "t", url: server.url, path: path), inputs: inputs
        ).get()
        return String(decoding: try #require(seen.first).body, as: UTF8.self)
    }

    @Test(
        "The text of a result stands where the payload names it",
        arguments: [
            (#"{"text":"a\"b\nc","segments":[]}"#, #"a\"b\nc"#), (#"{"choices":[{"text":"t"}]}"#, "t"),
            (#"{"choices":[{"message":{"role":"assistant","content":"m"}}]}"#, "m"), ("plain", "plain"),
            (#"{"words":3}"#, #"{\"words\":3}"#), (#"{"choices":[]}"#, #"{\"choices\":[]}"#), ("", ""),
        ])
    func text(of result: String, stands text: String) throws {
        #expect(
            try sent(#"{"prompt":"Sum up: {{result 4}}!"}"#, [input(4, result)]) == #"{"prompt":"Sum up: \#(text)!"}"#)
    }

    @Test("Several results stand where they are named, or all together")
    func several() throws {
        let inputs = [input(0, "zero"), input(3, "three")]
        #expect(
            try sent(#"{"a":"{{result 3}}-{{result 0}}","b":["{{results}}"]}"#, inputs)
                == #"{"a":"three-zero","b":["zero\n\nthree"]}"#)
    }

    @Test("What looks like a name in a result is not one")
    func nested() throws {
        #expect(try sent(#"{"a":"{{results}}"}"#, [input(0, "{{result 9}}")]) == #"{"a":"{{result 9}}"}"#)
    }

    @Test("A job that takes no results is sent as it is")
    func none() throws {
        #expect(try sent(#"{"a":"{{results}}"}"#, []) == #"{"a":"{{results}}"}"#)
    }

    @Test("A recording may be another job's result")
    func recording() throws {
        #expect(try sent("", [input(0, "RIFF")], path: "/v1/audio/transcriptions").contains("RIFF"))
    }

    @Test(
        "A payload that does not say where results belong, or names others, is refused",
        arguments: [
            #"{"a":"b"}"#, "", #"{"a":"{{result 1}}"}"#, #"{"a":"{{result}}"}"#, #"{"a":"{{result 0"}"#,
            #"{{results}}"#,
        ])
    func refused(payload: String) {
        let settings = HTTPSettings(kind: "t", url: "http://127.0.0.1:9", path: "/v1/completions")
        let error = ask(Array(payload.utf8), settings, inputs: [input(0, "zero")]).error
        #expect(error?.errorClass == "payload" && error?.retryable == false)
    }

    @Test("A result that is no text is refused, and one that is too large")
    func noText() {
        var settings = HTTPSettings(kind: "t", url: "http://127.0.0.1:9", path: "/v1/completions")
        settings.requestBytes = 100
        let payload = Array(#"{"a":"{{results}}{{results}}"}"#.utf8)
        let noText = JobInput(job: 0, payload: .bytes([0xFF]))
        let large = input(0, String(repeating: "x", count: 60))
        for bad in [noText, large] { #expect(ask(payload, settings, inputs: [bad]).error?.errorClass == "payload") }
    }
}
