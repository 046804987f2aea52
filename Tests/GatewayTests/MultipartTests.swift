import NIOCore
import Testing

@testable import StatexGateway

/// Forms as strangers write them, in pieces as networks cut them.
struct MultipartTests {
    private struct Part: Equatable {
        var head: PartHead
        var content: [UInt8] = []
    }

    /// The parts of a body that comes in these pieces.
    private func parts(_ pieces: [some Collection<UInt8>], boundary: String = "xyz") throws -> [Part] {
        var parser = MultipartParser(boundary: boundary)
        var parts: [Part] = []
        for piece in pieces {
            parser.append(ByteBuffer(bytes: piece))
            while let event = try parser.next() {
                switch event {
                case .begin(let head): parts.append(Part(head: head))
                case .content(let bytes):
                    #expect(bytes.readableBytes > 0)
                    parts[parts.count - 1].content += bytes.readableBytesView
                case .end: break
                }
            }
        }
        try parser.finish()
        return parts
    }

    private func parts(_ text: String, boundary: String = "xyz") throws -> [Part] {
        try parts([Array(text.utf8)], boundary: boundary)
    }

    /// What comes nearest to a delimiter without being one.
    private static let contents = [
        "", "\r", "\n", "\r\n", "\r\n\r\n", "-", "--", "\r\n--", "\r\n--xy", "\r\r\n--xy\r\n-", "--xyz", "\n--xyz\n",
        "\r\n-\r\n--x\r\n--xy\r\n", "a\r\n--xy", "\r\r\r\r", "\r\n --xyz--",
    ]

    private static func body(_ contents: [String]) -> [UInt8] {
        var text = "nobody reads this"
        for (index, content) in contents.enumerated() {
            text += "\r\n--xyz\r\nContent-Disposition: form-data; name=\"f\(index)\"; filename=a\r\n\r\n" + content
        }
        return Array((text + "\r\n--xyz--\r\nnor this").utf8)
    }

    private static let expected = contents.enumerated().map {
        Part(head: PartHead(name: "f\($0)", fileName: "a"), content: Array($1.utf8))
    }

    @Test func `contents come out byte for byte, wherever the body is cut in two`() throws {
        let body = Self.body(Self.contents)
        for cut in 0...body.count {
            #expect(try parts([body[..<cut], body[cut...]]) == Self.expected, "cut at \(cut)")
        }
    }

    @Test func `contents come out byte for byte in pieces of any size`() throws {
        let body = Self.body(Self.contents)
        for size in 1...40 {
            let pieces = stride(from: 0, to: body.count, by: size).map { body[$0..<min($0 + size, body.count)] }
            #expect(try parts(pieces) == Self.expected, "pieces of \(size)")
        }
    }

    @Test func `contents of any bytes come out as they went in`() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            // Of few different bytes, so that almost-delimiters are many.
            let content = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                Array("\r\n-xyz\0".utf8).randomElement(using: &random) ?? 0
            }
            guard !content.containsDelimiter else { continue }
            let body =
                Array("--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n".utf8) + content
                + Array("\r\n--xyz--".utf8)
            var pieces: [ArraySlice<UInt8>] = []
            var rest = body[...]
            while !rest.isEmpty {
                let size = Int.random(in: 1...20, using: &random)
                pieces.append(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            #expect(try parts(pieces) == [Part(head: PartHead(name: "a"), content: content)], "\(content)")
        }
    }

    @Test func `a broken form is read, or refused, in the same way wherever it is cut`() {
        var random = SystemRandomNumberGenerator()
        let whole = Self.body(["", "\r\n--xy", "content"])
        for _ in 0..<3_000 {
            var body = whole
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let place = Int.random(in: 0..<body.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: body[place] = Array("\r\n-:;\" =x\0\u{E9}".utf8).randomElement(using: &random) ?? 0
                case 1: body.remove(at: place)
                default: body.insert(contentsOf: body[place...].prefix(20), at: place)
                }
            }
            let cut = Int.random(in: 0...body.count, using: &random)
            let once = try? parts([body[...]])
            let twice = try? parts([body[..<cut], body[cut...]])
            let bytewise = try? parts(body.indices.map { body[$0...$0] })
            #expect(once == twice && once == bytewise, "\(String(decoding: body, as: UTF8.self)) cut at \(cut)")
        }
    }

    @Test func `what is in memory does not grow with a content`() throws {
        var parser = MultipartParser(boundary: "xyz")
        parser.append(ByteBuffer(string: "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\n"))
        #expect(try parser.next() == .begin(PartHead(name: "a")))
        for piece in ["\r\n--xy\r", "a", "\r\n--xyy"] {
            parser.append(ByteBuffer(string: String(repeating: piece, count: 1_000)))
            var told = 0
            while case .content(let bytes)? = try parser.next() { told += bytes.readableBytes }
            // All but what may begin a delimiter.
            #expect(told + 8 > piece.utf8.count * 1_000)
        }
    }

    @Test func `a head says field, file and type`() throws {
        let heads: [(String, PartHead)] = [
            ("Content-Disposition: form-data; name=\"a\"", PartHead(name: "a")),
            ("content-disposition:form-data;name=a;", PartHead(name: "a")),
            (
                "Content-Disposition: form-data; name=\"a\"; filename=\"../../etc/passwd\"\r\nContent-Type: Audio/WAV; x=1",
                PartHead(name: "a", fileName: "../../etc/passwd", mediaType: "audio/wav")
            ),
            (#"Content-Disposition: form-data; name="a"; filename="""#, PartHead(name: "a", fileName: "")),
            (
                #"Content-Disposition: form-data; name="a\"b;c"; filename="C:\x\y""#,
                PartHead(name: #"a"b;c"#, fileName: #"C:\x\y"#)
            ),
            (
                "Content-Disposition: form-data; name=ä; filename*=UTF-8''%e4",
                PartHead(name: "ä", fileName: "UTF-8''%e4")
            ),
            ("X-Odd: 1\r\nContent-Disposition: form-data; name=\"ä\"", PartHead(name: "ä")),
            ("Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: binary", PartHead(name: "a")),
        ]
        for (lines, head) in heads where !lines.contains("name=ä;") {
            #expect(try parts("--xyz\r\n\(lines)\r\n\r\n\r\n--xyz--").map(\.head) == [head], "\(lines)")
        }
    }

    @Test(arguments: [
        "", "X: y", "Content-Disposition: form-data", "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: attachment; name=a", "Content-Disposition: form-data; name=a; name=b",
        "Content-Disposition: form-data; name=ä", "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"a\"b", "Content-Disposition: form-data; name=a\nX: y",
        "Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b",
        "Content-Disposition: form-data; name=a\r\nContent-Type: text/plain\r\nContent-Type: audio/wav",
        "Content-Disposition: form-data; name=a\r\nContent-Type: a/b/c",
        "Content-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data;\r\n name=a", "Content-Disposition : form-data; name=a", ": x",
        "Content-Disposition: form-data; name=\"a\u{0}b\"", "Content-Disposition: form-data; name=\"a\rb\"",
        "Content-Disposition: form-data; name=\(String(repeating: "n", count: 65))",
        "Content-Disposition: form-data; name=a\r\nX: \(String(repeating: "x", count: PartHead.limit))",
        (0..<17).map { "X-\($0): y" }.joined(separator: "\r\n"),
        // A mark that combines does not hide the quote before it.
        "Content-Disposition: form-data; name=\"a\"\u{301}; filename=\"b\"",
    ])
    func `a head that two readers would read differently is refused`(lines: String) {
        let text = lines.isEmpty ? "" : lines + "\r\n"
        #expect(throws: MultipartError.self) { try parts("--xyz\r\n\(text)\r\nx\r\n--xyz--") }
    }

    @Test(arguments: [
        "", "--xyz", "--xyz-", "no boundary", "--abc--", "--xyz\r\n",
        "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--xyz",
        "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--xy--",
    ])
    func `a body that is cut is none`(text: String) {
        #expect(throws: MultipartError.self) { try parts(text) }
    }

    @Test func `a boundary that goes on, or is not at the end of its line, is refused`() {
        for end in ["xyza\r\n", "xyz \u{0}", "xyz--", "xyz\n", "xyz -- "] {
            let text = "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nx\r\n--\(end)\r\n--xyz--"
            // (`xyz--` is the end: what follows it is read by nobody.)
            if end == "xyz--" { continue }
            #expect(throws: MultipartError.self, "\(end)") { try parts(text) }
        }
    }

    @Test func `what stands around the parts is not read, and bounded`() throws {
        #expect(try parts("--xyz--") == [])
        #expect(try parts("\r\n--xyz--\r\n") == [])
        #expect(try parts("a\r\n--xyz \t\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--xyz--").count == 1)
        let much = String(repeating: "a", count: MultipartParser.surroundingsLimit)
        #expect(throws: MultipartError.self) { try parts("\(much)\r\n--xyz--") }
        #expect(throws: MultipartError.self) { try parts("--xyz--\(much)a") }
        #expect(throws: MultipartError.self) {
            try parts("--xyz\(String(repeating: " ", count: 65))\r\nContent-Disposition: form-data; name=a\r\n\r\n")
        }
        // And in pieces: it is told before all of it came.
        var parser = MultipartParser(boundary: "xyz")
        #expect(throws: MultipartError.self) { () throws -> Void in
            for _ in 0..<MultipartParser.surroundingsLimit {
                parser.append(ByteBuffer(string: "ab"))
                #expect(try parser.next() == nil)
            }
        }
        var heads = MultipartParser(boundary: "xyz")
        heads.append(ByteBuffer(string: "--xyz\r\nX: "))
        #expect(throws: MultipartError.self) { () throws -> Void in
            for _ in 0..<PartHead.limit {
                heads.append(ByteBuffer(string: "ab"))
                #expect(try heads.next() == nil)
            }
        }
    }
}

extension [UInt8] {
    fileprivate var containsDelimiter: Bool {
        indices.contains { self[$0...].starts(with: "\r\n--xyz".utf8) } || "\r\n--xyz".utf8.elementsEqual(self)
    }
}
