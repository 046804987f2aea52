import Glibc
import StatexHandlerAPI
import StatexThreads
import Testing

@testable import StatexHTTPHandler

@Suite struct HostileServerTests {
    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX", "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}",
    ])
    func `a response that breaks off is tried again`(text: String) {
        let error = ask { peer in
            peer.request()
            peer.send(text)
        }.error
        #expect(error == HandlerError("http_broken", "the response broke off", retryable: true))
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}",
        "HTTP/1.1 200 OK\r\n\r\n<html>maintenance</html>", "HTTP/1.1 200 OK\r\n\r\n[]", "HTTP/1.1 204 None\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n{\"a\":\"\\u0000\"}", "HTTP/1.1 200 OK\r\n\r\n{\"a\":1",
    ])
    func `a response that is not HTTP or not JSON is tried again, and its bytes are in no message`(text: String) throws
    {
        let error = try #require(
            ask { peer in
                peer.request()
                peer.send(text)
            }.error)
        #expect(error.errorClass == "http_response")
        #expect(error.retryable)
        #expect(!error.message.contains("maintenance") && !error.message.contains("OpenSSH"))
    }

    @Test func `JSON that is not UTF-8 is no result`() {
        let error = ask { peer in
            peer.request()
            peer.send(Array("HTTP/1.1 200 OK\r\n\r\n{\"a\":\"".utf8) + [0xFF] + Array("\"}".utf8))
        }.error
        #expect(error?.errorClass == "http_response")
    }

    /// A response that HTTP allows, and that crashed the process with Foundation's client.
    @Test func `fields behind the last chunk are no trouble`() {
        let answer = ask { peer in
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n")
        }
        #expect(answer == .success("{}"))
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
    ])
    func `a body without an end is refused at the limit, and not tried again`(head: String) {
        let error = ask(responseBytes: 100_000) { peer in
            peer.request()
            peer.send(head)
            peer.sendEndlessly(Array(repeating: UInt8(ascii: "x"), count: 64 << 10))
        }.error
        #expect(
            error
                == HandlerError(
                    "http_too_large", "the response has more than 100000 bytes, which is the limit", retryable: false))
    }

    @Test(arguments: ["500 X", "302 Found\r\nLocation: /"])
    func `a failure whose body has no end is a failure all the same`(status: String) {
        let error = ask { peer in
            peer.request()
            peer.send("HTTP/1.1 \(status)\r\n\r\n")
            peer.sendEndlessly(Array(repeating: UInt8(ascii: "x"), count: 64 << 10))
        }.error
        #expect(error?.errorClass == "http_\(status.prefix(3))")
    }

    @Test func `a head without an end is refused`() {
        let error = ask { peer in
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\n")
            peer.sendEndlessly(Array("X: y\r\n".utf8))
        }.error
        #expect(error?.errorClass == "http_response")
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nX-Slow", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{",
        "HTTP/1.1 100 Continue\r\n\r\n",
    ])
    func `a server that stops in the middle is left when the time is over`(beginning: String) {
        let error = ask(timeout: 150) { peer in
            peer.request()
            peer.send(beginning)
            peer.awaitEnd()
        }.error
        #expect(error == HandlerError("http_timeout", "no complete response within 150 ms", retryable: true))
    }

    @Test func `a server that always sends a little is left when the time is over`() {
        let error = ask(timeout: 150) { peer in
            peer.request()
            peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            // Below the limit of the body for ever: a chunk's extension counts for nothing.
            while peer.send("1;\(String(repeating: "x", count: 10_000))\r\n \r\n") {}
        }.error
        #expect(error?.errorClass == "http_timeout")
    }

    @Test func `a server that does not read is left when the time is over`() throws {
        let isOver = try Wakeup()
        let server = ScriptedServer { _ in isOver.wait(milliseconds: 10_000) }
        var settings = HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")
        settings.timeoutMilliseconds = 150
        let payload = #"{"input":""# + String(repeating: "x", count: 32 << 20) + #""}"#
        #expect(ask(Array(payload.utf8), settings).error?.errorClass == "http_timeout")
        isOver.signal()
        server.stop()
    }

    @Test func `a job's own limit counts when it is the shorter one`() {
        let server = ScriptedServer { $0.awaitEnd() }
        defer { server.stop() }
        let settings = HTTPSettings(kind: "t", url: server.url, path: "/v1/completions")
        let job = Job(
            id: .init(rawValue: 1), kind: "t", attempt: 1, payload: .bytes(Array("{}".utf8)), runLimitMilliseconds: 100)
        #expect(throws: HandlerError("http_timeout", "no complete response within 100 ms", retryable: true)) {
            try HTTPHandler(settings).attempt(job)
        }
    }

    @Test func `nobody listening is tried again`() {
        let (port, descriptor) = ScriptedServer.refusingPort()
        defer { close(descriptor) }
        for host in ["127.0.0.1", "localhost"] {
            let settings = HTTPSettings(kind: "t", url: "http://\(host):\(port)", path: "/v1/completions")
            let error = ask(Array("{}".utf8), settings).error
            #expect(error?.errorClass == "http_connect")
            #expect(error?.message == "no connection to \(host):\(port): Connection refused")
            #expect(error?.retryable == true)
        }
    }

    @Test func `a host that nobody knows is tried again`() {
        let settings = HTTPSettings(kind: "t", url: "http://nobody.invalid", path: "/v1/completions")
        let error = ask(Array("{}".utf8), settings).error
        #expect(error?.errorClass == "http_connect")
        #expect(error?.retryable == true)
    }

    @Test func `a server that accepts and agrees on no keys is left when the time to connect is over`() {
        let server = ScriptedServer { $0.awaitEnd() }
        defer { server.stop() }
        var settings = HTTPSettings(kind: "t", url: "https://127.0.0.1:\(server.port)", path: "/v1/completions")
        settings.connectMilliseconds = 150
        #expect(
            ask(Array("{}".utf8), settings).error
                == HandlerError(
                    "http_connect", "127.0.0.1:\(server.port) did not answer within 150 ms", retryable: true))
    }

    // MARK: cancelling

    @Test(arguments: [
        (Cancellation.Reason.cancelled, "cancelled", false), (.timeout, "http_timeout", true),
        (.revoked, "revoked", true),
    ])
    func `an attempt that must stop leaves the server at once`(
        reason: Cancellation.Reason, name: String, isRetried: Bool
    ) {
        for beginning in ["", "HTTP/1.1 200 OK\r\n\r\n{"] {
            let cancellation = Cancellation()
            let error = ask(cancellation: cancellation) { peer in
                peer.request()
                peer.send(beginning)
                cancellation.cancel(reason)
                // The test's time limit would end a client that stays.
                peer.awaitEnd()
            }.error
            #expect(error?.errorClass == name)
            #expect(error?.retryable == isRetried)
        }
    }

    @Test func `an attempt stops while it connects`() {
        let cancellation = Cancellation()
        let server = ScriptedServer { peer in
            _ = peer.receive()
            cancellation.cancel(.cancelled)
            peer.awaitEnd()
        }
        defer { server.stop() }
        let settings = HTTPSettings(kind: "t", url: "https://127.0.0.1:\(server.port)", path: "/v1/completions")
        #expect(ask(Array("{}".utf8), settings, cancellation).error?.errorClass == "cancelled")
    }

    @Test func `an attempt that was stopped before it began asks nobody`() {
        let cancellation = Cancellation()
        cancellation.cancel(.cancelled)
        let error = ask(cancellation: cancellation) { $0.awaitEnd() }.error
        #expect(error == HandlerError("cancelled", "cancelled", retryable: false))
    }
}
