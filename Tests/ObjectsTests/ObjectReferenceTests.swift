import Testing

@testable import StatexObjects

private let sum = String(repeating: "0a", count: 32)

private func parse(_ text: String) throws(ObjectError) -> ObjectReference {
    try ObjectReference(text: Array(text.utf8))
}

struct ObjectReferenceTests {
    @Test func `reads and writes the same text`() throws {
        let text = #"{"url":"file:ab/x","size":12,"sha256":"\#(sum)"}"#
        let reference = try parse(text)
        #expect(reference.path == "ab/x")
        #expect(reference.size == 12)
        #expect(reference.sha256.hex == sum)
        #expect(reference.scheme == .file)
        #expect(String(decoding: reference.text, as: UTF8.self) == text)
        let inBucket = text.replacing("file:", with: "s3:")
        #expect(try parse(inBucket).scheme == .s3)
        #expect(String(decoding: try parse(inBucket).text, as: UTF8.self) == inBucket)
    }

    @Test func `an unknown store names the key of those that are open`() {
        let error = #expect(throws: ObjectError.self) { try parse(#"{"url":"gs:a","size":1,"sha256":"\#(sum)"}"#) }
        #expect(error?.description.contains("key `objects`") == true)
    }

    @Test func `takes the fields in any order, with space and escapes`() throws {
        let reference = try parse(
            " {\n\"sha256\" : \"\(sum)\" ,\t\"size\":0, \"url\":\"file:\\u0061\\/\\ud83d\\ude00\\\"\\\\\" } \r\n")
        #expect(reference.path == "a/😀\"\\")
        #expect(try ObjectReference(text: reference.text) == reference)
    }

    @Test(arguments: [
        "", "{}", "[]", "null", "{", #"{"url":"file:a"}"#,
        #"{"url":"file:a","size":1}"#,
        #"{"url":"file:a","size":1,"sha256":"00"}"#,
        #"{"url":"file:a","size":1,"sha256":"\#(sum)"}x"#,
        #"{"url":"file:a","size":1,"sha256":"\#(sum)",}"#,
        #"{"url":"file:a","size":1,"sha256":"\#(sum)","more":1}"#,
        #"{"url":"file:a","url":"file:b","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":1,"size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":-1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":01,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":1.0,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":1e3,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":"1","sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":18446744073709551616,"sha256":"\#(sum)"}"#,
        #"{"url":"file:a","size":18446744073709551615,"sha256":"\#(sum)"}"#,
        #"{"url":"http:a","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"s3://bucket/a","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"S3:a","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"s3:","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"FILE:a","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\u0000","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\ud800","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\ud800\u0041","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\udc00","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\u00","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\u+041","size":1,"sha256":"\#(sum)"}"#,
        #"{"url":"file:\x","size":1,"sha256":"\#(sum)"}"#,
        "{\"url\":\"file:a\nb\",\"size\":1,\"sha256\":\"\(sum)\"}",
    ])
    func `refuses any other text with a reason`(text: String) {
        let error = #expect(throws: ObjectError.self) { try parse(text) }
        #expect(error.map { !$0.description.isEmpty } == true)
    }

    @Test func `refuses text that is too long or not UTF-8`() {
        #expect(throws: ObjectError.reference("it has 4097 bytes, the limit is 4096")) {
            try ObjectReference(text: [UInt8](repeating: 0x20, count: 4097))
        }
        #expect(throws: ObjectError.reference("it is not valid UTF-8")) {
            try ObjectReference(text: [0x7B, 0xFF, 0x7D])
        }
    }

    @Test func `the longest path still fits the limit of the text`() throws {
        let part = String(repeating: "\"", count: 255)
        let path = [part, part, part, part].joined(separator: "/")
        let digest = try #require(SHA256Digest(hex: sum))
        let reference = try ObjectReference(path: path, size: ObjectReference.maximumSize, sha256: digest)
        #expect(reference.text.count <= ObjectReference.maximumTextLength)
        #expect(try ObjectReference(text: reference.text) == reference)
        #expect(throws: ObjectError.self) { try ObjectReference(path: path + "/x/y", size: 1, sha256: digest) }
    }

    @Test func `any change of any byte is refused or read, and never ends the process`() throws {
        let original = Array(#"{"url":"file:ab/cdef","size":1234,"sha256":"\#(sum)"}"#.utf8)
        var read = 0
        var refused = 0
        for position in original.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = original
                changed[position] = byte
                do throws(ObjectError) {
                    let reference = try ObjectReference(text: changed)
                    #expect(try ObjectReference(text: reference.text) == reference)
                    read += 1
                } catch {
                    refused += 1
                }
            }
            #expect(throws: ObjectError.self) { try ObjectReference(text: Array(original[..<position])) }
        }
        #expect(read > 0)
        #expect(refused > read)
    }
}
