import Testing

@testable import StatexHTTPHandler

@Suite struct ResponseParserTests {
    /// The body of a response that arrives in pieces of so many bytes.
    private func body(
        _ text: String, pieces: Int = .max, limits: ResponseLimits = ResponseLimits(), closes: Bool = true
    ) throws(ResponseFault) -> String {
        var parser = ResponseParser(limits)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            try parser.received(Array(rest.prefix(pieces)))
            rest = rest.dropFirst(pieces)
        }
        if closes { try parser.ended(cleanly: true) }
        return parser.isComplete ? String(decoding: parser.body, as: UTF8.self) : "incomplete"
    }

    private func fault(_ text: String, limits: ResponseLimits = ResponseLimits()) -> ResponseFault? {
        do throws(ResponseFault) {
            _ = try body(text, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n{}", "HTTP/1.0 200\r\n\r\n{}",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\n{}", "HTTP/1.1 200 OK\r\nCONTENT-length:\t 2 \r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}and something else",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n002;name=value\r\n{}\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer: y\r\nZ: 1\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nX: \u{e4}\r\nContent-Encoding: identity\r\n\r\n{}",
    ])
    func `a response reads the same in whatever pieces it arrives`(text: String) throws {
        for pieces in [1, 2, 3, 7, .max] { #expect(try body(text, pieces: pieces) == "{}") }
    }

    @Test(arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 None\r\n\r\n", "HTTP/1.1 304 Same\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func `a response without a body is complete before the connection closes`(text: String) throws {
        #expect(try body(text, closes: false).isEmpty)
    }

    @Test(arguments: [
        "", "H", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nX", "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
    ])
    func `a response that ends before its end is cut`(text: String) { #expect(fault(text) == .cut) }

    @Test(arguments: [
        "hello\r\n", "\0\u{1}\u{2}\n", "HTTP/2 200\r\n", "HTTP/1.1 20 OK\r\n", "HTTP/1.1 2000 OK\r\n",
        "HTTP/1.1 099 X\r\n",
        "HTTP/1.1 600 X\r\n", "HTTP/1.1 +20 X\r\n", "HTTP/1.1  200 OK\r\n", "ICY 200 OK\r\n", "\r\nHTTP/1.1 200 OK\r\n",
        "HTTP/1.1 101 Switching\r\n\r\n",
    ])
    func `what does not begin as a response is refused`(text: String) { #expect(isMalformed(text)) }

    @Test(arguments: [
        "no colon", ": x", "a b: x", " folded", "X\0: y", "X: a\0b", "Content-Length: -5", "Content-Length: 1, 1",
        "Content-Length: 99999999999999999999", "Content-Length: 2\r\nContent-Length: 3", "Content-Length: 0x2",
        "Content-Length:", "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 2", "Content-Encoding: gzip",
    ])
    func `a head that can be read in two ways is refused`(fields: String) {
        #expect(isMalformed("HTTP/1.1 200 OK\r\n\(fields)\r\n\r\n{}"))
    }

    @Test(arguments: ["zz\r\n", "-1\r\n", "+2\r\n", "\r\n", "ffffffffffffffffff\r\n", "2\r\n{}x\r\n", "2\r\n{}2\r\n"])
    func `a broken chunk is refused`(chunk: String) {
        #expect(isMalformed("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(chunk)"))
    }

    @Test func `lines, heads and trailers are bounded`() {
        let start = "HTTP/1.1 200 OK\r\n"
        let chunked = "\(start)Transfer-Encoding: chunked\r\n\r\n"
        #expect(isMalformed(String(repeating: "H", count: 20_000)))
        #expect(isMalformed("\(start)X: \(String(repeating: "y", count: 20_000))"))
        #expect(isMalformed(start + String(repeating: "X: y\r\n", count: 20_000)))
        #expect(isMalformed(String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 20_000)))
        #expect(isMalformed("\(chunked)1;\(String(repeating: "y", count: 20_000))"))
        #expect(isMalformed("\(chunked)0\r\n" + String(repeating: "X: y\r\n", count: 20_000)))
    }

    @Test func `a success over the limit is refused, however it is framed, and one at the limit passes`() throws {
        var limits = ResponseLimits()
        limits.bodyBytes = 4
        let framings: [(String) -> String] = [
            { "HTTP/1.1 200 OK\r\nContent-Length: \($0.utf8.count)\r\n\r\n\($0)" }, { "HTTP/1.1 200 OK\r\n\r\n\($0)" },
            { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\($0.utf8.count)\r\n\($0)\r\n0\r\n\r\n" },
            {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + $0.map { "1\r\n\($0)\r\n" }.joined()
                    + "0\r\n\r\n"
            },
        ]
        for framing in framings {
            #expect(try body(framing("1234"), limits: limits) == "1234")
            #expect(fault(framing("12345"), limits: limits) == .tooLarge(limit: 4))
        }
        // By its word alone, before a byte of it.
        #expect(fault("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", limits: limits) == .tooLarge(limit: 4))
    }

    @Test func `of a failure's body the beginning is enough`() throws {
        var limits = ResponseLimits()
        limits.failureBytes = 4
        #expect(try body("HTTP/1.1 500 X\r\nContent-Length: 99\r\n\r\n12345", limits: limits, closes: false) == "1234")
        #expect(try body("HTTP/1.1 302 X\r\n\r\n12345", limits: limits, closes: false) == "1234")
    }

    /// Whatever the bytes: an answer, never a crash, and never more than the limit.
    @Test func `mutated responses end in a response or a fault`() {
        var generator = SeededGenerator(state: 7)
        let seeds = [
            "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nRetry-After: 5\r\n\r\n{\"a\":[1,2]}\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
        ].map { Array($0.utf8) }
        let interesting = Array("0123456789abcdefHTP/.: ;\r\n\0\u{7F}-+".utf8) + [0x80, 0xFF]
        var limits = ResponseLimits()
        limits.bodyBytes = 64
        limits.failureBytes = 32
        var (complete, refused) = (0, 0)
        for round in 0..<100_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0..<3, using: &generator) {
                let at = Int.random(in: 0..<max(1, bytes.count), using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0 where !bytes.isEmpty: bytes[at] = interesting.randomElement(using: &generator) ?? 0
                case 1 where !bytes.isEmpty: bytes.remove(at: at)
                case 2: bytes.insert(contentsOf: bytes.prefix(at), at: min(at, bytes.count))
                default: bytes.insert(interesting.randomElement(using: &generator) ?? 0, at: min(at, bytes.count))
                }
            }
            var parser = ResponseParser(limits)
            let cut = Int.random(in: 0...bytes.count, using: &generator)
            do throws(ResponseFault) {
                try parser.received(Array(bytes[..<cut]))
                try parser.received(Array(bytes[cut...]))
                try parser.ended(cleanly: true)
                complete += 1
            } catch {
                refused += 1
            }
            if parser.body.count > 64 { Issue.record("\(bytes)") }
        }
        #expect(complete > 1_000)
        #expect(refused > 1_000)
    }

    private func isMalformed(_ text: String) -> Bool {
        if case .malformed = fault(text) { true } else { false }
    }
}

/// A small generator with a seed, so that a failure comes again.
private struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
