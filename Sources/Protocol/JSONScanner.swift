/// Goes over a text once. Every read is checked against the end.
struct JSONScanner {
    /// Deeper than any result has reason to be, and shallow enough for the stack of any thread.
    static let depthLimit = 64
    /// Longer than any number that keeps its value in a Double or an Int64.
    static let numberLimit = 64

    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func topObject() throws(JSONFailure) -> [[UInt8]: JSONObject.Member] {
        skipSpace()
        guard peek == UInt8(ascii: "{") else { throw failure("not a JSON object") }
        let members = try object(depth: 1)
        try end()
        return members
    }

    mutating func topStrings() throws(JSONFailure) -> [String] {
        var strings: [String] = []
        try sequence(from: "[", to: "]") { scanner throws(JSONFailure) in
            let start = scanner.at
            try scanner.string()
            strings.append(
                String(
                    decoding: Self.unescaped(scanner.bytes[start..<scanner.at].dropFirst().dropLast()), as: UTF8.self))
        }
        try end()
        return strings
    }

    /// Where the first item of a list stands; nil: there is none.
    mutating func firstItem() -> Range<Int>? {
        var item: Range<Int>?
        try? sequence(from: "[", to: "]") { scanner throws(JSONFailure) in
            let start = scanner.at
            _ = try scanner.value(depth: 2)
            if item == nil { item = start..<scanner.at }
        }
        return item
    }

    private mutating func end() throws(JSONFailure) {
        skipSpace()
        guard at == bytes.count else { throw failure("something follows the JSON value") }
    }

    // MARK: values

    private mutating func value(depth: Int) throws(JSONFailure) -> JSONKind {
        guard depth <= Self.depthLimit else { throw failure("more than \(Self.depthLimit) levels") }
        guard let byte = peek else { throw failure("the text ends where a value must stand") }
        switch byte {
        case UInt8(ascii: "{"):
            _ = try object(depth: depth)
            return .object
        case UInt8(ascii: "["):
            try sequence(from: "[", to: "]") { scanner throws(JSONFailure) in _ = try scanner.value(depth: depth + 1) }
            return .array
        case UInt8(ascii: "\""):
            try string()
            return .string
        case UInt8(ascii: "t"): return try word("true", .boolean)
        case UInt8(ascii: "f"): return try word("false", .boolean)
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            try number()
            return .number
        default: throw failure("not a JSON value")
        }
    }

    private mutating func object(depth: Int) throws(JSONFailure) -> [[UInt8]: JSONObject.Member] {
        var members: [[UInt8]: JSONObject.Member] = [:]
        try sequence(from: "{", to: "}") { scanner throws(JSONFailure) in
            let start = scanner.at
            guard scanner.peek == UInt8(ascii: "\"") else { throw scanner.failure("a name must stand here") }
            try scanner.string()
            let name = Self.unescaped(scanner.bytes[start..<scanner.at].dropFirst().dropLast())
            scanner.skipSpace()
            guard scanner.take(":") else { throw scanner.failure("a colon must stand here") }
            scanner.skipSpace()
            let valueStart = scanner.at
            let kind = try scanner.value(depth: depth + 1)
            let member = JSONObject.Member(kind: kind, range: valueStart..<scanner.at)
            guard members.updateValue(member, forKey: name) == nil else {
                throw JSONFailure(reason: "a name stands twice in an object", offset: start)
            }
        }
        return members
    }

    /// Items between brackets, with commas between them.
    private mutating func sequence(
        from open: Character, to close: Character, _ item: (inout JSONScanner) throws(JSONFailure) -> Void
    ) throws(JSONFailure) {
        guard take(open) else { throw failure("\(open) must stand here") }
        skipSpace()
        if take(close) { return }
        repeat {
            skipSpace()
            try item(&self)
            skipSpace()
        } while take(",")
        guard take(close) else { throw failure("a comma or \(close) must stand here") }
    }

    private mutating func word(_ word: StaticString, _ kind: JSONKind) throws(JSONFailure) -> JSONKind {
        let length = word.utf8CodeUnitCount
        let same = word.withUTF8Buffer { expected in bytes[at...].prefix(length).elementsEqual(expected) }
        guard same else { throw failure("not a JSON value") }
        at += length
        return kind
    }

    // MARK: numbers

    private mutating func number() throws(JSONFailure) {
        let start = at
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        let hasExponent = take("e") || take("E")
        if hasExponent {
            if !take("+") { _ = take("-") }
            try digits()
        }
        guard at - start <= Self.numberLimit else {
            throw JSONFailure(reason: "a number of more than \(Self.numberLimit) characters", offset: start)
        }
        guard hasExponent else { return }
        let value = Double(String(decoding: bytes[start..<at], as: UTF8.self))
        guard let value, value.isFinite else {
            throw JSONFailure(reason: "a number that is too large", offset: start)
        }
    }

    private mutating func digits() throws(JSONFailure) {
        let start = at
        while let byte = peek, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { at += 1 }
        guard at > start else { throw failure("a digit must stand here") }
    }

    // MARK: strings

    private mutating func string() throws(JSONFailure) {
        guard take("\"") else { throw failure("a string must stand here") }
        while let byte = peek {
            switch byte {
            case UInt8(ascii: "\""):
                at += 1
                return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw failure(byte == 0 ? "a NUL byte" : "a control character in a string")
            case 0x20..<0x80: at += 1
            default: at += try sequenceLength()
            }
        }
        throw failure("a string without an end")
    }

    private mutating func escape() throws(JSONFailure) {
        let start = at
        at += 1
        switch peek {
        case UInt8(ascii: "u"):
            at += 1
            let first = try hexadecimal()
            guard first != 0 else { throw JSONFailure(reason: "U+0000 in a string", offset: start) }
            guard (0xD800...0xDFFF).contains(first) else { return }
            guard first < 0xDC00, take("\\"), take("u"), (0xDC00...0xDFFF).contains(try hexadecimal()) else {
                throw JSONFailure(reason: "half of a surrogate pair", offset: start)
            }
        case let byte? where Self.simpleEscapes[byte] != nil: at += 1
        default: throw failure("an unknown escape")
        }
    }

    private static let simpleEscapes: [UInt8: UInt8] = [
        UInt8(ascii: "\""): UInt8(ascii: "\""), UInt8(ascii: "\\"): UInt8(ascii: "\\"),
        UInt8(ascii: "/"): UInt8(ascii: "/"),
        UInt8(ascii: "b"): 8, UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]

    private mutating func hexadecimal() throws(JSONFailure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek, let digit = Self.hexadecimalDigit(byte) else {
                throw failure("a hexadecimal digit must stand here")
            }
            value = value << 4 | digit
            at += 1
        }
        return value
    }

    private static func hexadecimalDigit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// The length of the well-formed UTF-8 sequence that begins here (Unicode, table 3-7).
    private func sequenceLength() throws(JSONFailure) -> Int {
        let length: Int
        let second: ClosedRange<UInt8>
        switch bytes[at] {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xE1...0xEC, 0xEE...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw failure("broken UTF-8")
        }
        let tail = bytes[(at + 1)...].prefix(length - 1)
        guard tail.count == length - 1, let next = tail.first, second.contains(next),
            tail.dropFirst().allSatisfy({ (0x80...0xBF).contains($0) })
        else { throw failure("broken UTF-8") }
        return length
    }

    /// The characters that a string's text, already checked, stands for.
    static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
        guard text.contains(UInt8(ascii: "\\")) else { return Array(text) }
        var result: [UInt8] = []
        result.reserveCapacity(text.count)
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                result.append(byte)
                continue
            }
            guard let escape = rest.popFirst() else { break }
            if let simple = simpleEscapes[escape] {
                result.append(simple)
                continue
            }
            var code = takeHexadecimal(&rest)
            if (0xD800..<0xDC00).contains(code) {
                rest = rest.dropFirst(2)
                code = 0x10000 + (code - 0xD800) << 10 + (takeHexadecimal(&rest) & 0x3FF)
            }
            if let scalar = Unicode.Scalar(code) {
                result.append(contentsOf: UTF8.encode(scalar).map(Array.init) ?? [])
            }
        }
        return result
    }

    private static func takeHexadecimal(_ rest: inout ArraySlice<UInt8>) -> UInt32 {
        let digits = rest.prefix(4)
        rest = rest.dropFirst(4)
        return digits.reduce(0) { $0 << 4 | (hexadecimalDigit($1) ?? 0) }
    }

    // MARK: bytes

    private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

    private mutating func take(_ character: Character) -> Bool {
        guard peek == character.asciiValue else { return false }
        at += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { at += 1 }
    }

    private func failure(_ reason: String) -> JSONFailure { JSONFailure(reason: reason, offset: at) }
}
