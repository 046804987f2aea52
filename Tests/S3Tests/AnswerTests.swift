import StatexObjects
import Testing

@testable import StatexS3

struct AnswerTests {
    @Test(arguments: [
        ("Thu, 01 Jan 1970 00:00:01 GMT", 1_000_000 as Int64?),
        ("Mon, 12 Oct 2009 17:50:00 GMT", 1_255_369_800_000_000),
        ("2009-10-12T17:50:00Z", nil), ("", nil), ("Mon, 12 Oct 2009 17:50:00 GMT and more", nil),
    ])
    func `reads the time of a header`(text: String, time: Int64?) { #expect(S3Bucket.time(text) == time) }

    @Test(arguments: [
        ("2009-10-12T17:50:30.250Z", 1_255_369_830_250_000 as Int64?), ("2009-10-12T17:50:30Z", 1_255_369_830_000_000),
        ("yesterday", nil), ("", nil),
    ])
    func `reads the time of a list`(text: String, time: Int64?) { #expect(S3Bucket.listedTime(text) == time) }

    @Test func `an error is read, and what is no XML, or hostile, is none`() throws {
        let error = try #require(
            S3XML.read(Array("<?xml version=\"1.0\"?><Error><Code>A</Code><Message>b &amp; c</Message></Error>".utf8)))
        #expect(error.root == "Error" && error.texts == ["Code": "A", "Message": "b & c"])
        for text in ["", "<", "{}", "<Error>", "\u{0}"] { #expect(S3XML.read(Array(text.utf8)) == nil) }
        let bomb = """
            <!DOCTYPE x [<!ENTITY a "\(String(repeating: "x", count: 1_000))"><!ENTITY b "\(String(repeating: "&a;", count: 1_000))">
            <!ENTITY c "\(String(repeating: "&b;", count: 1_000))">]><Error><Code>&c;</Code></Error>
            """
        #expect((S3XML.read(Array(bomb.utf8))?.texts["Code"] ?? "").utf8.count <= 8 << 10)
    }

    @Test func `a pause grows with each attempt, is bounded, and is drawn from nothing up`() {
        let patience = Patience()
        var random = SystemRandomNumberGenerator()
        for attempt in 1...70 {
            let bound = min(patience.longestPause, patience.firstPause * (1 << min(attempt - 1, 16)))
            for _ in 0..<20 {
                let pause = patience.pause(before: attempt, &random)
                #expect(pause >= .zero && pause <= bound)
            }
        }
    }
}
