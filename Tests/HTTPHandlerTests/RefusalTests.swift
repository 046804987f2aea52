import StatexHandlerAPI
import Testing

@testable import StatexHTTPHandler

@Suite struct RefusalTests {
    @Test(arguments: [
        (300, false), (301, false), (302, false), (304, false), (307, false), (308, false), (400, false), (401, false),
        (403, false), (404, false), (405, false), (408, true), (409, true), (413, false), (415, false), (418, false),
        (422, false), (425, true), (429, true), (451, false), (500, true), (501, false), (502, true), (503, true),
        (504, true), (529, true), (599, true),
    ])
    func `each status is a class of its own, and says whether to try again`(status: Int, isRetried: Bool) {
        let answer = ask { peer in
            peer.request()
            peer.answer("", status: "\(status) Some words", headers: "Retry-After: 7\r\n")
        }
        #expect(answer.error?.errorClass == "http_\(status)")
        #expect(answer.error?.retryable == isRetried)
        #expect(answer.error?.retryAfterMilliseconds == (isRetried ? 7_000 : nil))
        if status >= 400 { #expect(answer.error?.message == "the server answered \(status): Some words") }
    }

    @Test(arguments: [
        (#"{"error":{"message":"no such model","type":"x"}}"#, "no such model"), (#"{"error":"gone"}"#, "gone"),
        (#"{"message":"m"}"#, "m"), (#"{"detail":"d"}"#, "d"), (#"{"error":{"code":1}}"#, "Bad"), ("<html>", "Bad"),
        ("[]", "Bad"), (#"{"error":{"message":"a\u0007\r\n\u007fb"}}"#, "a    b"),
        (#"{"error":{"message":"NUL \u0000"}}"#, "Bad"),
    ])
    func `the server's own sentence is the message, on one line`(body: String, message: String) {
        let answer = ask { peer in
            peer.request()
            peer.answer(body, status: "400 Bad")
        }
        #expect(answer.error?.message == "the server answered 400: \(message)")
    }

    @Test func `a long sentence is cut between characters`() throws {
        let answer = ask { peer in
            peer.request()
            peer.answer(#"{"error":"# + "\"" + String(repeating: "é", count: 20_000) + "\"}", status: "400 Bad")
        }
        let message = try #require(answer.error?.message)
        #expect(message == "the server answered 400: " + String(repeating: "é", count: 512))
    }

    @Test func `a status without words is said by its number`() {
        let answer = ask { peer in
            peer.request()
            peer.send("HTTP/1.1 500\r\n\r\n")
        }
        #expect(answer.error?.message == "the server answered 500")
    }

    @Test func `a redirect is not followed`() {
        let server = ScriptedServer { peer in
            peer.request()
            peer.answer("{}", status: "302 Found", headers: "Location: /elsewhere\r\n")
        }
        defer { server.stop() }
        let error = ask(Array("{}".utf8), HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")).error
        #expect(error?.errorClass == "http_302")
        #expect(error?.message.contains("redirects are not followed") == true)
        #expect(server.count == 1)
    }

    /// A Location that crashed the process with Foundation's client.
    @Test func `a redirect to nowhere is a refusal like others`() {
        let answer = ask { peer in
            peer.request()
            peer.answer("{}", status: "302 Found", headers: "Location: //[::1%25a]:99999/%\r\n")
        }
        #expect(answer.error?.errorClass == "http_302")
    }

    @Test func `the key is in no error, whoever says it`() {
        let answer = ask(key: secret) { peer in
            let request = peer.request()
            let said = request.head.split(separator: "\r\n").first { $0.hasPrefix("Authorization") } ?? ""
            peer.answer(#"{"error":{"message":"bad key: \#(said), \#(secret)\#(secret)"}}"#, status: "401 \(said)")
        }
        #expect(answer.error?.message == "the server answered 401: bad key: Authorization: Bearer ***, ******")
        let inReason = ask(key: secret) { peer in
            peer.request()
            peer.answer("", status: "403 \(secret)")
        }
        #expect(inReason.error?.message == "the server answered 403: ***")
        let atTheCut = ask(key: secret) { peer in
            peer.request()
            peer.answer(#"{"error":"\#(String(repeating: "x", count: 1_020))\#(secret)"}"#, status: "400 Bad")
        }
        #expect(atTheCut.error?.message.contains("sk-4") == false)
    }

    @Test func `the key is in no result`() {
        let answer = ask(key: secret) { peer in
            peer.request()
            peer.answer(#"{"headers":{"authorization":"Bearer \#(secret)"}}"#)
        }
        #expect(
            answer.error == HandlerError("http_response", "the server's response repeats the key", retryable: false))
        let placeholder = ask(key: "EMPTY") { peer in
            peer.request()
            peer.answer(#"{"text":"EMPTY"}"#)
        }
        #expect(placeholder == .success(#"{"text":"EMPTY"}"#))
    }
}
