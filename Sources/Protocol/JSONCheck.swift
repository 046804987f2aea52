/// Whether bytes are one JSON object, so that they may stand inside another JSON text as they are.
///
/// Checks form only (RFC 8259), at most 16 levels deep. Handlers' output has a stricter reader of its own.
package enum JSONCheck {
    package static func isObject(_ text: String) -> Bool {
        var scanner = Scanner(bytes: Array(text.utf8))
        scanner.skipSpace()
        guard scanner.peek == UInt8(ascii: "{"), scanner.value(depth: 0) else { return false }
        scanner.skipSpace()
        return scanner.peek == nil
    }

    private struct Scanner {
        let bytes: [UInt8]
        var place = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

        mutating func skipSpace() {
            while let byte = peek, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { place += 1 }
        }

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard peek == UInt8(ascii: character) else { return false }
            place += 1
            return true
        }

        mutating func value(depth: Int) -> Bool {
            skipSpace()
            guard depth < 16, let byte = peek else { return false }
            switch byte {
            case UInt8(ascii: "{"): return list(closing: "}", depth: depth) { $0.member(depth: depth) }
            case UInt8(ascii: "["): return list(closing: "]", depth: depth) { $0.value(depth: depth + 1) }
            case UInt8(ascii: "\""): return string()
            case UInt8(ascii: "t"): return word("true")
            case UInt8(ascii: "f"): return word("false")
            case UInt8(ascii: "n"): return word("null")
            default: return number()
            }
        }

        private mutating func list(closing: Unicode.Scalar, depth: Int, _ item: (inout Scanner) -> Bool) -> Bool {
            place += 1
            skipSpace()
            if take(closing) { return true }
            while item(&self) {
                skipSpace()
                if take(closing) { return true }
                guard take(",") else { return false }
            }
            return false
        }

        private mutating func member(depth: Int) -> Bool {
            skipSpace()
            guard peek == UInt8(ascii: "\""), string() else { return false }
            skipSpace()
            return take(":") && value(depth: depth + 1)
        }

        private mutating func string() -> Bool {
            place += 1
            while let byte = peek {
                place += 1
                switch byte {
                case UInt8(ascii: "\""): return true
                case 0..<0x20: return false
                case UInt8(ascii: "\\"): guard escape() else { return false }
                default: break
                }
            }
            return false
        }

        private mutating func escape() -> Bool {
            guard let byte = peek else { return false }
            place += 1
            if byte == UInt8(ascii: "u") {
                for _ in 0..<4 {
                    guard let digit = peek, Character(Unicode.Scalar(digit)).isHexDigit else { return false }
                    place += 1
                }
                return true
            }
            return Array("\"\\/bfnrt".utf8).contains(byte)
        }

        private mutating func word(_ word: String) -> Bool {
            guard bytes[place...].starts(with: word.utf8) else { return false }
            place += word.utf8.count
            return true
        }

        private mutating func digits() -> Bool {
            let start = place
            while let byte = peek, (0x30...0x39).contains(byte) { place += 1 }
            return place > start
        }

        private mutating func number() -> Bool {
            _ = take("-")
            if !take("0"), !digits() { return false }
            if take("."), !digits() { return false }
            if take("e") || take("E") {
                if !take("+") { _ = take("-") }
                return digits()
            }
            return true
        }
    }
}
