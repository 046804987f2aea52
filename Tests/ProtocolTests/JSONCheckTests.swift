import StatexProtocol
import Testing

@Suite struct JSONCheckTests {
    @Test(arguments: [
        "{}", #" {"a":[1,-0.5e+3,true,null,"x\u00e4\n"],"b":{"c":[]}} "#, #"{"":0}"#,
    ])
    func `an object is taken`(text: String) { #expect(JSONCheck.isObject(text)) }

    @Test(arguments: [
        "", "[]", "1", "{", "}", "{}}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, #"{"a":01}"#, #"{"a":1.}"#,
        #"{"a":"x}"#,
        "{\"a\":\"\u{1}\"}", #"{"a":"\x"}"#, #"{"a":"\u12g4"}"#, #"{"a":tru}"#, #"{"a":-}"#,
        String(repeating: #"{"a":"#, count: 17) + "1" + String(repeating: "}", count: 17),
    ])
    func `anything else is refused`(text: String) { #expect(!JSONCheck.isObject(text)) }
}
