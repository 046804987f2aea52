/// An entry of the key `objects`: a folder, or a part of a bucket of S3.
package enum ObjectLocation: Hashable, Sendable {
    case folder(String)
    /// - Parameter prefix: before every key, without a slash at its end; empty: none.
    case bucket(String, prefix: String)

    static let bucketScheme = "s3://"
    /// A key of S3 has at most 1,024 bytes; an object's own path comes after it.
    private static let maximumPrefixLength = 256

    /// A folder's path is taken as it stands.
    package init(_ text: String) throws(ObjectError) {
        guard text.hasPrefix(Self.bucketScheme) else {
            guard !text.isEmpty, !text.utf8.contains(0) else { throw .path("an object folder must be a path") }
            self = .folder(text)
            return
        }
        let parts = text.dropFirst(Self.bucketScheme.count).split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(parts.first ?? "")
        var prefix = parts.count > 1 ? String(parts[1]) : ""
        if prefix.count > 1, prefix.hasSuffix("/") { prefix.removeLast() }
        guard (3...63).contains(bucket.utf8.count), bucket.utf8.allSatisfy(Self.isOfBucket),
            bucket.first != ".", bucket.first != "-"
        else {
            throw .path(
                "\(quoted(text)): a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens; write s3://BUCKET or s3://BUCKET/PREFIX"
            )
        }
        let words = prefix.isEmpty ? [] : prefix.split(separator: "/", omittingEmptySubsequences: false)
        guard prefix.utf8.count <= Self.maximumPrefixLength, prefix.utf8.allSatisfy(Self.isOfPrefix),
            words.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." })
        else {
            throw .path(
                "\(quoted(text)): a prefix has at most \(Self.maximumPrefixLength) letters, digits, dots, hyphens, underscores and slashes, and no empty part"
            )
        }
        self = .bucket(bucket, prefix: prefix)
    }

    package var text: String {
        switch self {
        case .folder(let path): path
        case .bucket(let name, let prefix): Self.bucketScheme + name + (prefix.isEmpty ? "" : "/" + prefix)
        }
    }

    private static func isOfBucket(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "a"..."z", "0"..."9", ".", "-": true
        default: false
        }
    }

    private static func isOfPrefix(_ byte: UInt8) -> Bool {
        switch Unicode.Scalar(byte) {
        case "a"..."z", "A"..."Z", "0"..."9", ".", "-", "_", "/": true
        default: false
        }
    }
}
