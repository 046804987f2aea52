// A strict reader of JSON texts that come from peers, handlers and servers: RFC 8259, and nothing that would
// trouble whoever stores or reads the text later. UTF-8 without errors, no U+0000 and no lone surrogate (also
// not escaped), no name twice in an object, bounded depth, numbers that a Double can hold. Values are
// not built: a text that passes is handed on as it is.

/// Why a text was refused, and at which byte.
package struct JSONFailure: Error, Sendable, Equatable, CustomStringConvertible {
    package let reason: String
    package let offset: Int
    package var description: String { "\(reason) at byte \(offset)" }
}

package enum JSONKind: Sendable, Equatable { case object, array, string, number, boolean, null }

/// One text, checked as a whole, whose top is an object; its members can be asked for.
package struct JSONObject: Sendable {
    package struct Member: Sendable {
        package let kind: JSONKind
        package let range: Range<Int>
    }

    package let bytes: [UInt8]
    private let members: [[UInt8]: Member]

    package init(_ bytes: [UInt8]) throws(JSONFailure) {
        var scanner = JSONScanner(bytes)
        members = try scanner.topObject()
        self.bytes = bytes
    }

    /// The first item of a list that was checked before, if it is an object.
    package static func first(inList list: [UInt8]) -> JSONObject? {
        var scanner = JSONScanner(list)
        return scanner.firstItem().flatMap { try? JSONObject(Array(list[$0])) }
    }

    package func member(_ name: String) -> Member? { members[Array(name.utf8)] }

    /// The text of a member's value, exactly as it stands.
    package func text(of member: Member) -> [UInt8] { Array(bytes[member.range]) }

    package func string(_ name: String) -> String? {
        guard let member = member(name), member.kind == .string else { return nil }
        return String(decoding: JSONScanner.unescaped(bytes[member.range].dropFirst().dropLast()), as: UTF8.self)
    }

    package func number(_ name: String) -> Double? {
        guard let member = member(name), member.kind == .number else { return nil }
        return Double(String(decoding: bytes[member.range], as: UTF8.self))
    }

    package func integer(_ name: String) -> Int? {
        guard let member = member(name), member.kind == .number else { return nil }
        return Int(String(decoding: bytes[member.range], as: UTF8.self))
    }

    package func boolean(_ name: String) -> Bool? {
        guard let member = member(name), member.kind == .boolean else { return nil }
        return bytes[member.range.lowerBound] == UInt8(ascii: "t")
    }

    /// A list of strings and nothing else.
    package func strings(_ name: String) -> [String]? {
        guard let member = member(name), member.kind == .array else { return nil }
        var scanner = JSONScanner(Array(bytes[member.range]))
        return try? scanner.topStrings()
    }
}
