import Testing

@testable import StatexProtocol

@Suite struct JSONTests {
    private func reason(_ text: String) -> String? { reason(Array(text.utf8)) }

    private func reason(_ bytes: [UInt8]) -> String? {
        do {
            _ = try JSONObject(bytes)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test(arguments: [
        "{}", " {\t} \r\n", #"{"a":[1,-2,3.5,1e10,-0.5E-7,0]}"#, #"{"a":{"b":{"c":[[],{}]}},"d":null}"#,
        #"{"a":"\" \\ \/ \b \f \n \r \t é é 😀 \ud83d\ude00"}"#, #"{"":true,"x":false}"#,
    ]) func goodTextsPass(text: String) { #expect(reason(text) == nil) }

    @Test(arguments: [
        "", " ", "[]", "1", "null", "{", "}", "{]", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{,}"#, #"{"a":1 "b":2}"#,
        #"{"a":1}x"#,
        #"{"a":1}{}"#, #"{a:1}"#, #"{'a':1}"#, #"{"a":01}"#, #"{"a":+1}"#, #"{"a":.5}"#, #"{"a":1.}"#, #"{"a":1e}"#,
        #"{"a":--1}"#,
        #"{"a":NaN}"#, #"{"a":Infinity}"#, #"{"a":tru}"#, #"{"a":nulL}"#, #"{"a":"}"#, #"{"a":"\x"}"#, #"{"a":"\u12"}"#,
        #"{"a":"\u12g4"}"#, "{\"a\":\"\n\"}", "{\"a\":\"\u{1}\"}", #"{"a":1}/**/"#, "\u{FEFF}{}", #"{"a":[1,]}"#,
        #"{"a":[,1]}"#,
    ]) func brokenTextsAreRefused(text: String) { #expect(reason(text) != nil) }

    @Test(arguments: [
        #"{"a":1,"a":2}"#, #"{"a":1,"\u0061":2}"#, #"{"x":{"a":1,"b":2,"a":3}}"#, #"{"x":[{"é":1,"\u00e9":2}]}"#,
    ]) func aNameTwiceIsRefusedHoweverItIsWritten(text: String) {
        #expect(reason(text) == "a name stands twice in an object")
    }

    @Test func theDepthIsLimited() {
        func nested(_ depth: Int) -> String {
            #"{"a":"# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
        }
        #expect(reason(nested(JSONScanner.depthLimit)) == nil)
        #expect(reason(nested(JSONScanner.depthLimit + 1)) == "more than 64 levels")
        #expect(reason(String(repeating: #"{"a":"#, count: 1_000_000)) == "more than 64 levels")
    }

    @Test func numbersKeepTheirValueInADouble() {
        #expect(reason(#"{"a":1e308}"#) == nil)
        #expect(reason(#"{"a":1e309}"#) == "a number that is too large")
        #expect(reason(#"{"a":1e99999999999999999999}"#) == "a number that is too large")
        #expect(reason(#"{"a":"# + String(repeating: "9", count: 65) + "}") == "a number of more than 64 characters")
    }

    @Test(
        arguments: [
            [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
            [0xF0, 0x80, 0x80, 0x80],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF], [0x80], [0xC3], [0xE2, 0x82],
            [0xF0, 0x9F, 0x98], [0xC3, 0x28],
        ] as [[UInt8]]) func brokenUTF8IsRefused(bytes: [UInt8])
    {
        #expect(reason(Array(#"{"a":""#.utf8) + bytes + Array(#""}"#.utf8)) == "broken UTF-8")
        #expect(reason(Array(#"{"a":""#.utf8) + bytes) != nil)
    }

    @Test func membersAreReadAsTheyAreMeant() throws {
        let object = try JSONObject(
            Array(#"{"s":"\u00e9\ud83d\ude00\n","n":-12,"d":1.5,"b":true,"r": [1, 2] ,"l":["a","\t"]}"#.utf8))
        #expect(object.string("s") == "é😀\n")
        #expect(object.integer("n") == -12)
        #expect(object.number("d") == 1.5)
        #expect(object.boolean("b") == true)
        #expect(object.strings("l") == ["a", "\t"])
        #expect(object.member("r").map { String(decoding: object.text(of: $0), as: UTF8.self) } == "[1, 2]")
        #expect(object.string("n") == nil)
        #expect(object.integer("d") == nil)
        #expect(object.member("none") == nil)
    }

    @Test func whatIsWrittenReadsBackTheSame() throws {
        let text = "quote \" back \\ line \n tab \t bell \u{7} delete \u{7F} é 😀"
        #expect(try JSONObject(Array(#"{"a":\#(JSONText.quoted(text))}"#.utf8)).string("a") == text)
    }

    @Test(arguments: ["[]", "{", #"{"a":1,"a":2}"#, #"{"a":"\u0000"}"#]) func otherDetailsOfAHelloAreRefused(
        text: String
    ) {
        var hello = Hello(role: .worker, incarnation: 1, name: "w")
        hello.slots = 1
        hello.details = text
        var buffer = ByteBuffer()
        hello.write(to: &buffer)
        #expect {
            let header = try Header(reading: buffer.bytes)
            _ = try Hello(reading: buffer.bytes, header: header)
        } throws: {
            ($0 as? WireError)?.code == .malformed
        }
    }
}
