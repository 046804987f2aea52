import HTTPTypes

/// The part of a content that a request asks for (RFC 9110, section 14).
enum ByteRange: Equatable {
    case whole
    /// Never empty, and inside of the content.
    case part(Range<Int>)
    /// It begins behind the end.
    case none

    /// - Parameter tag: the content's ETag, as it stands in the header.
    init(_ headers: HTTPFields, size: Int, tag: String) {
        self = .whole
        // Who has a part of another content, or asks for what nobody understands, is given the whole.
        if let condition = headers[.ifRange], condition != tag { return }
        let values = headers[values: .range]
        guard values.count == 1, values[0].prefix(6).lowercased() == "bytes=" else { return }
        // Several ranges would be a multipart answer, which nobody who plays sound asks for.
        let ends = values[0].dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { return }
        switch (Self.number(ends[0]), Self.number(ends[1])) {
        case (let first?, let last?) where first <= last: self = Self.part(from: first, to: last, of: size)
        case (let first?, nil) where ends[1].isEmpty: self = Self.part(from: first, to: .max, of: size)
        case (nil, let length?) where ends[0].isEmpty:
            self = length == 0 || size == 0 ? .none : .part(max(0, size - length)..<size)
        default: return
        }
    }

    private static func part(from first: Int, to last: Int, of size: Int) -> Self {
        first < size ? .part(first..<(min(last, size - 1) + 1)) : .none
    }

    /// One that is too large to be one is as large as any. nil: it is none.
    private static func number(_ text: Substring) -> Int? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int(text) ?? .max
    }
}
