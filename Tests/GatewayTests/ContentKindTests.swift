import Testing

@testable import StatexGateway

struct ContentKindTests {
    @Test(arguments: [
        ("{\"a\":1}", ContentKind.json), ("[1,2]", ContentKind.json), ("{a}", ContentKind.text),
        ("[1", ContentKind.text), ("hello", ContentKind.text), ("", ContentKind.text), ("<html>", ContentKind.text),
        ("1", ContentKind.text), ("a\0b", ContentKind.bytes),
    ])
    func `a text is JSON if it is an object or a list`(text: String, kind: String) {
        #expect(ContentKind.of(Array(text.utf8)[...], isWhole: true) == kind)
    }

    @Test func `bytes that are no text are bytes`() {
        #expect(ContentKind.of([0xFF, 0xD8, 0xFF], isWhole: true) == ContentKind.bytes)
        #expect(ContentKind.of([0x61, 0xE2, 0x82], isWhole: true) == ContentKind.bytes)
    }

    @Test func `a first piece may end inside a character`() {
        let text = Array("Zürich €".utf8)
        for end in 1...text.count {
            #expect(ContentKind.of(text[..<end], isWhole: false) == ContentKind.text)
        }
    }
}
