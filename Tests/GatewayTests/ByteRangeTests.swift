import HTTPTypes
import Testing

@testable import StatexGateway

struct ByteRangeTests {
    private func range(_ text: String, size: Int = 10, condition: String? = nil) -> ByteRange {
        var headers: HTTPFields = [.range: text]
        headers[.ifRange] = condition
        return ByteRange(headers, size: size, tag: "\"tag\"")
    }

    @Test(arguments: [
        ("bytes=0-0", 0..<1), ("bytes=0-9", 0..<10), ("bytes=3-5", 3..<6), ("bytes=3-", 3..<10),
        ("bytes=9-100", 9..<10), ("bytes=-3", 7..<10), ("bytes=-100", 0..<10), ("Bytes=1-1", 1..<2),
        ("bytes=0-99999999999999999999", 0..<10), ("bytes=-99999999999999999999", 0..<10),
    ])
    func `a part is what is asked for and there`(text: String, part: Range<Int>) {
        #expect(range(text) == .part(part))
    }

    @Test(arguments: ["bytes=10-", "bytes=10-11", "bytes=99999999999999999999-", "bytes=-0"])
    func `a part behind the end is none`(text: String) { #expect(range(text) == .none) }

    @Test func `of nothing there is no part`() {
        for text in ["bytes=0-", "bytes=-1", "bytes=0-0"] { #expect(range(text, size: 0) == .none) }
    }

    @Test(arguments: [
        "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-3", "bytes=0-1,3-4", "lines=0-1", "bytes=+1-2",
        "bytes=1-2-3", "bytes= 1-2", "bytes=--1", "bytes=0x1-2",
    ])
    func `what is not understood gives the whole`(text: String) { #expect(range(text) == .whole) }

    @Test func `a part is of the content that it was asked of`() {
        #expect(range("bytes=0-1", condition: "\"tag\"") == .part(0..<2))
        for other in ["\"other\"", "W/\"tag\"", "Thu, 26 Nov 2026 01:00:00 GMT"] {
            #expect(range("bytes=0-1", condition: other) == .whole)
        }
        #expect(ByteRange([:], size: 10, tag: "\"tag\"") == .whole)
    }
}
