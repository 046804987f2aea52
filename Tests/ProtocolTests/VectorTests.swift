import Foundation
import StatexProtocol
import Testing

/// `Vectors/messages.json` pins every message: other languages test against it too. A new or changed
/// message gets a sample, and `STATEX_WRITE_VECTORS=1 swift test --filter VectorTests` writes the file
/// anew, to be read before it is committed.
@Suite struct VectorTests {
    private static let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "Vectors/messages.json")

    @Test func everyMessageIsWrittenAsItsVectorSays() throws {
        if ProcessInfo.processInfo.environment["STATEX_WRITE_VECTORS"] == "1" { try Self.write() }
        let vectors = try Self.vectors()
        #expect(vectors.map { $0["name"] as? String } == Sample.all.map(\.name))
        for (vector, sample) in zip(vectors, Sample.all) {
            #expect(vector["hex"] as? String == hex(sample.bytes), "\(sample.name)")
        }
    }

    @Test func everyVectorIsReadAsItsFieldsSay() throws {
        for vector in try Self.vectors() {
            let text = try #require(vector["hex"] as? String)
            let message = try #require(bytes(hex: text))
            var batch = SubmitBatch()
            let fields = try decode(message.span.bytes, into: &batch)
            let expected = try #require(vector["fields"] as? [String: Any])
            #expect(try Self.text(fields) == Self.text(expected), "\(vector["name"] ?? "")")
        }
    }

    @Test func everyMessageTypeHasAVector() {
        let types = Set(Sample.all.map { $0.bytes[3] })
        #expect(types == Set(MessageType.allCases.map(\.rawValue)))
    }

    /// Numbers that fit no Double are compared as they are written.
    private static func text(_ fields: [String: Any]) throws -> String {
        String(decoding: try JSONSerialization.data(withJSONObject: fields, options: [.sortedKeys]), as: UTF8.self)
    }

    private static func vectors() throws -> [[String: Any]] {
        try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [[String: Any]] ?? []
    }

    private static func write() throws {
        let vectors = try Sample.all.map { sample -> [String: Any] in
            var batch = SubmitBatch()
            let fields: [String: Any] = try decode(sample.bytes.span.bytes, into: &batch)
            return ["name": sample.name, "fields": fields, "hex": hex(sample.bytes)]
        }
        let options: JSONSerialization.WritingOptions = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
        try (JSONSerialization.data(withJSONObject: vectors, options: options) + Data("\n".utf8)).write(to: file)
    }
}
