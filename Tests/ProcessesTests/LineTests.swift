import StatexHandlerAPI
import Testing

@testable import StatexProcesses

@Suite struct LineTests {
    @Test func linesComeOutHoweverTheyArrive() throws {
        let text = Array("one\n\ntwo two\nlast\nrest".utf8)
        for size in 1...text.count {
            var splitter = LineSplitter(limit: 16)
            var lines: [String] = []
            for start in stride(from: 0, to: text.count, by: size) {
                splitter.append(Array(text[start..<min(start + size, text.count)]))
                while let line = try splitter.next() { lines.append(String(decoding: line, as: UTF8.self)) }
            }
            #expect(lines == ["one", "", "two two", "last"])
            #expect(!splitter.isEmpty)
        }
    }

    @Test func aLineMayBeAsLongAsTheLimitAndNotLonger() throws {
        var splitter = LineSplitter(limit: 4)
        splitter.append(Array("1234\n".utf8))
        #expect(try splitter.next() == Array("1234".utf8))
        splitter.append(Array("1234".utf8))
        #expect(try splitter.next() == nil)
        splitter.append(Array("5".utf8))
        #expect(throws: LineSplitter.LineTooLong.self) { try splitter.next() }
        var other = LineSplitter(limit: 4)
        other.append(Array("12345\n".utf8))
        #expect(throws: LineSplitter.LineTooLong.self) { try other.next() }
    }

    @Test func theTailOfStderrIsCleanAndBounded() {
        var tail = ErrorTail()
        tail.append(Array(repeating: UInt8(ascii: "a"), count: 100_000))
        #expect(tail.text.utf8.count == 3 << 10)
        tail.clear()
        tail.append([0xFF, 0x00, 0x1B, 0x41, 0x0A])
        #expect(tail.text == "\u{FFFD}\\x00\\x1BA")
        tail.clear()
        for _ in 0..<3_000 { tail.append(Array("é".utf8)) }
        #expect(tail.text.unicodeScalars.allSatisfy { $0 == "é" })
    }

    @Test func aCutTextEndsBetweenCharacters() {
        #expect(cut("aéé", to: 4) == "aé")
        #expect(cut("aé", to: 4) == "aé")
        #expect(cut("😀", to: 3) == "")
    }

    @Test(arguments: [
        (#"{"type":"ready","protocol":2}"#, "ready: protocol must be 1"),
        (#"{"type":"ready"}"#, "ready: protocol must be 1"),
        (#"{"type":"result","id":"7"}"#, "result: result is missing"),
        (#"{"type":"result","id":7,"result":1}"#, "result: id must be the job's, a string"),
        (#"{"type":"progress","id":"7","fraction":1.5}"#, "progress: fraction must be from 0 to 1"),
        (#"{"type":"progress","id":"7"}"#, "progress: fraction must be from 0 to 1"),
        (
            #"{"type":"error","id":"7","class":"a b","message":""}"#,
            "error: class must be 1 to 64 letters, digits, `_`, `.` and `-`"
        ),
        (#"{"type":"error","id":"7","class":"a","retryable":"no"}"#, "error: retryable must be true or false"),
        (
            #"{"type":"error","id":"7","class":"a","retry_after":-1}"#,
            "error: retry_after must be from 0 to 2592000 seconds"
        ),
        (
            #"{"type":"error","id":"7","class":"a","retry_after":1e300}"#,
            "error: retry_after must be from 0 to 2592000 seconds"
        ),
        (#"{"type":"hello"}"#, "an unknown type"),
        (#"{"id":"7"}"#, "a line without a type"),
    ]) func aLineThatBreaksTheProtocolNamesTheFieldAndTheLimit(line: String, reason: String) {
        #expect(throws: ProtocolViolation(reason)) { try HandlerMessage(line: Array(line.utf8)) }
    }

    @Test func fieldsThatAreNotKnownAreSkipped() throws {
        let line = #"{"type":"ready","protocol":1,"name":"n","version":"v","later":{"x":[1]}}"#
        #expect(try HandlerMessage(line: Array(line.utf8)) == .ready(name: "n", version: "v"))
    }
}
