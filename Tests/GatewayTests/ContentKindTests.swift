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

    @Test(arguments: [
        ("RIFF....WAVEfmt ", "audio/wav"), ("fLaC\0\0", "audio/flac"), ("OggS\0\u{2}", "audio/ogg"),
        ("ID3\u{4}\0", "audio/mpeg"), ("\0\0\0\u{1C}ftypM4A ", "audio/mp4"), ("ID3 is a tag", ContentKind.text),
        ("OggS", ContentKind.text), ("RIFF....AVI ", ContentKind.text), ("a RIFF....WAVE", ContentKind.text),
    ])
    func `a sound is known by its first bytes`(text: String, kind: String) {
        #expect(ContentKind.of(Array(text.utf8)[...], isWhole: true) == kind)
    }

    @Test func `sound without a head, and in Matroska, is known too`() {
        #expect(ContentKind.of([0xFF, 0xFB, 0x90, 0x64], isWhole: false) == "audio/mpeg")
        let webm: [UInt8] = [0x1A, 0x45, 0xDF, 0xA3, 0x9F, 0x42, 0x82, 0x84] + Array("webm".utf8)
        #expect(ContentKind.of(webm[...], isWhole: false) == "audio/webm")
        #expect(ContentKind.of([0x1A, 0x45, 0xDF, 0xA3, 0], isWhole: false) == ContentKind.bytes)
    }

    @Test func `a first piece may end inside a character`() {
        let text = Array("Zürich €".utf8)
        for end in 1...text.count {
            #expect(ContentKind.of(text[..<end], isWhole: false) == ContentKind.text)
        }
    }
}
