// Names an object: where it lies, how long it is and what it contains.

/// In messages and in the journal it is JSON text of at most 4 KiB:
/// `{"url":"file:<path relative to the root>","size":N,"sha256":"<64 hexadecimal digits>"}`, with `s3:` for
/// `file:` where the root is a bucket. Which folder or bucket that is stands in the configuration of whoever
/// reads, so a store may move.
///
/// The path is taken as it stands: `%2e` is three characters, not a dot. It is relative, and no part
/// of it is empty, `.` or `..`. That is a first wall with good messages; the one that holds is the
/// kernel's, when the path is opened.
package struct ObjectReference: Hashable, Sendable {
    /// More than any input or result that we know of, and far from where sums overflow.
    package static let maximumSize: UInt64 = 1 << 40
    package static let maximumTextLength = 4 << 10
    /// As much as a path may have on Linux is 4,096; with this the text always fits.
    package static let maximumPathLength = 1024

    /// In what kind of store an object lies.
    package enum Scheme: String, CaseIterable, Sendable {
        case file, s3
    }

    package let scheme: Scheme
    /// Relative to the root.
    package let path: String
    package let size: UInt64
    package let sha256: SHA256Digest

    package init(
        scheme: Scheme = .file, path: String, size: UInt64, sha256: SHA256Digest
    ) throws(ObjectError) {
        try Self.check(path)
        guard size <= Self.maximumSize else { throw .tooLarge(size: size, limit: Self.maximumSize) }
        self.scheme = scheme
        self.path = path
        self.size = size
        self.sha256 = sha256
    }

    /// Reads the JSON text.
    package init(text: [UInt8]) throws(ObjectError) {
        guard text.count <= Self.maximumTextLength else {
            throw .reference("it has \(text.count) bytes, the limit is \(Self.maximumTextLength)")
        }
        guard let string = String(validating: text, as: UTF8.self) else { throw .reference("it is not valid UTF-8") }
        var parser = ReferenceParser(string)
        let fields = try parser.parse()
        guard let url = fields.url else { throw .reference("`url` is missing") }
        guard let size = fields.size else { throw .reference("`size` is missing") }
        guard let hex = fields.sha256 else { throw .reference("`sha256` is missing") }
        guard let sha256 = SHA256Digest(hex: hex) else {
            throw .reference("`sha256` must be 64 lower-case hexadecimal digits")
        }
        guard let colon = url.firstIndex(of: ":"), let scheme = Scheme(rawValue: String(url[..<colon])) else {
            throw .reference(
                "`url` must begin with `file:` or `s3:`; no other store is known (those that are open stand in the key `objects`)"
            )
        }
        try self.init(scheme: scheme, path: String(url[url.index(after: colon)...]), size: size, sha256: sha256)
    }

    /// The JSON text.
    package var text: [UInt8] {
        var escaped = ""
        for character in path.unicodeScalars {
            // Control characters never get here: `check` refuses them.
            if character == "\"" || character == "\\" { escaped += "\\" }
            escaped.unicodeScalars.append(character)
        }
        return Array("{\"url\":\"\(scheme.rawValue):\(escaped)\",\"size\":\(size),\"sha256\":\"\(sha256)\"}".utf8)
    }

    private static func check(_ path: String) throws(ObjectError) {
        guard !path.isEmpty else { throw .path("it is empty") }
        guard path.utf8.count <= maximumPathLength else {
            throw .path("it has \(path.utf8.count) bytes, the limit is \(maximumPathLength)")
        }
        guard path.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw .path("\(quoted(path)) contains a control character")
        }
        guard path.utf8.first != UInt8(ascii: "/") else {
            throw .path("\(quoted(path)) is absolute; it must be relative to the object folder")
        }
        for part in path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            if part.isEmpty { throw .path("\(quoted(path)) has an empty part") }
            if part.elementsEqual(".".utf8) || part.elementsEqual("..".utf8) {
                throw .path("\(quoted(path)) has a part `.` or `..`")
            }
            if part.count > 255 { throw .path("a part has \(part.count) bytes, the limit is 255") }
        }
    }
}
