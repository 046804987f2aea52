/// The end of what a handler printed to stderr, made fit for a log and a text column.
struct ErrorTail: Sendable {
    static let limit = 4 << 10

    private var bytes: [UInt8] = []

    mutating func append(_ more: [UInt8]) {
        bytes.append(contentsOf: more.suffix(Self.limit))
        if bytes.count > Self.limit { bytes.removeFirst(bytes.count - Self.limit) }
    }

    mutating func clear() { bytes.removeAll() }

    /// Valid UTF-8 of at most 3 KiB; control characters other than line feed and tab as `\xNN`.
    var text: String {
        var result = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            switch scalar.value {
            case 0x09, 0x0A: result.unicodeScalars.append(scalar)
            case 0..<0x20, 0x7F..<0xA0:
                let digits = String(scalar.value, radix: 16, uppercase: true)
                result += "\\x" + (digits.count == 1 ? "0" : "") + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        while result.last == "\n" { result.removeLast() }
        return lastPart(of: result)
    }

    /// Leaves room for a sentence in an error's 4 KiB.
    private func lastPart(of text: String) -> String {
        let room = 3 << 10
        guard text.utf8.count > room else { return text }
        var start = text.utf8.index(text.endIndex, offsetBy: -room)
        while start < text.endIndex, start.samePosition(in: text.unicodeScalars) == nil {
            start = text.utf8.index(after: start)
        }
        return String(text[start...])
    }
}
