/// Reads one JSON object with the fields of an object reference, and nothing else: an unknown or
/// repeated field is refused, because a reader that skips what it does not know may act on something
/// else than its writer meant. (Foundation's decoder takes both silently.)
struct ReferenceParser {
    struct Fields {
        var url: String?
        var size: UInt64?
        var sha256: String?
    }

    private var rest: Substring.UnicodeScalarView

    init(_ text: String) { rest = text.unicodeScalars[...] }

    mutating func parse() throws(ObjectError) -> Fields {
        var fields = Fields()
        try expect("{")
        repeat {
            let name = try string()
            try expect(":")
            switch name {
            case "url" where fields.url == nil: fields.url = try string()
            case "sha256" where fields.sha256 == nil: fields.sha256 = try string()
            case "size" where fields.size == nil: fields.size = try number()
            case "url", "sha256", "size": throw .reference("`\(name)` stands twice")
            default: throw .reference("unknown field \(quoted(name)); known are `url`, `size` and `sha256`")
            }
        } while takes(",")
        try expect("}")
        skipSpace()
        guard rest.isEmpty else { throw .reference("something follows the object") }
        return fields
    }

    private mutating func skipSpace() {
        rest = rest.drop { $0 == " " || $0 == "\n" || $0 == "\r" || $0 == "\t" }
    }

    private mutating func takes(_ wanted: Unicode.Scalar) -> Bool {
        skipSpace()
        guard rest.first == wanted else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func expect(_ wanted: Unicode.Scalar) throws(ObjectError) {
        guard takes(wanted) else { throw .reference("not the JSON object that it must be: `\(wanted)` expected") }
    }

    private mutating func number() throws(ObjectError) -> UInt64 {
        skipSpace()
        let digits = rest.prefix { ("0"..."9").contains($0) }
        rest = rest.dropFirst(digits.count)
        // No leading zero, sign, fraction or exponent: there is one way to write a size.
        guard let value = UInt64(String(digits)), digits.count == 1 || digits.first != "0" else {
            throw .reference("`size` must be a whole number of bytes")
        }
        return value
    }

    private mutating func string() throws(ObjectError) -> String {
        try expect("\"")
        var value = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return String(value)
            case "\\": value.append(try escape())
            case _ where scalar.value < 0x20: throw .reference("a control character stands in a string")
            default: value.append(scalar)
            }
        }
        throw .reference("a string does not end")
    }

    private mutating func escape() throws(ObjectError) -> Unicode.Scalar {
        switch rest.popFirst() {
        case "\"": return "\""
        case "\\": return "\\"
        case "/": return "/"
        case "b": return "\u{8}"
        case "f": return "\u{C}"
        case "n": return "\n"
        case "r": return "\r"
        case "t": return "\t"
        case "u":
            let unit = try codeUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            guard unit < 0xDC00, rest.popFirst() == "\\", rest.popFirst() == "u" else { break }
            let low = try codeUnit()
            guard (0xDC00...0xDFFF).contains(low) else { break }
            if let scalar = Unicode.Scalar(0x10000 + (UInt32(unit - 0xD800) << 10 | UInt32(low - 0xDC00))) {
                return scalar
            }
        default: break
        }
        throw .reference("a string has a broken escape")
    }

    private mutating func codeUnit() throws(ObjectError) -> UInt16 {
        let digits = String(rest.prefix(4))
        rest = rest.dropFirst(4)
        guard digits.utf8.count == 4, digits.utf8.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let unit = UInt16(digits, radix: 16)
        else { throw .reference("a string has a broken escape") }
        return unit
    }
}
