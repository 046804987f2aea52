import Glibc

/// Why an object could not be stored or opened. Names the field, the limit and what to do; never the
/// content.
package enum ObjectError: Error, Equatable, CustomStringConvertible {
    /// The text is no object reference.
    case reference(String)
    /// The path is refused before or while it is resolved.
    case path(String)
    case notFound(String)
    /// A directory, device, FIFO or socket stands where a file should.
    case notRegular
    /// The file is not of the size that its reference names.
    case size(expected: UInt64, found: UInt64)
    /// The file's content is not what its reference names.
    case checksum(expected: SHA256Digest, found: SHA256Digest)
    /// Larger than what the caller or the store takes.
    case tooLarge(size: UInt64, limit: UInt64)
    /// The kernel cannot confine a path.
    case unsupported
    /// The hash could not be computed (out of memory, or a library without SHA-256).
    case hash
    case system(String, Int32)
    /// A store on the network refused, or is set up wrongly: the same again would fail again.
    case refused(String, status: Int? = nil)
    /// A store on the network could not be reached, or is too busy, after several tries.
    case unavailable(String, status: Int? = nil)

    /// Whether the same may succeed later without anybody doing anything.
    package var isTransient: Bool { if case .unavailable = self { true } else { false } }

    /// What a job's own people may read. Where a store is and what it says is for the log: `description`.
    package var outline: String {
        func ending(_ status: Int?) -> String { status.map { " (\($0))" } ?? "" }
        return switch self {
        case .refused(_, let status): "the object store refused it" + ending(status)
        case .unavailable(_, let status): "the object store is away, or too busy" + ending(status)
        case .system(_, let number): "the object store failed: \(String(cString: strerror(number)))"
        case .reference, .path, .notFound, .notRegular, .size, .checksum, .tooLarge, .unsupported, .hash: description
        }
    }

    package var description: String {
        switch self {
        case .reference(let problem): "object reference: \(problem)"
        case .path(let problem): "object path: \(problem)"
        case .notFound(let path): "no object at \(quoted(path)) under the configured roots (key `objects`)"
        case .notRegular: "the object is not a regular file"
        case .size(let expected, let found):
            "the object has \(found) bytes, its reference says \(expected): it was changed or cut; store it again"
        case .checksum(let expected, let found):
            "the object's SHA-256 is \(found), its reference says \(expected): it was changed; store it again"
        case .tooLarge(let size, let limit): "the object has \(size) bytes, the limit is \(limit)"
        case .unsupported:
            "this kernel has no openat2 (Linux 5.6 or newer), or a filter forbids it: object paths cannot be confined, so none is opened"
        case .hash: "libcrypto could not compute SHA-256"
        case .refused(let problem, _), .unavailable(let problem, _): problem
        case .system(let action, let number): "\(action): \(String(cString: strerror(number)))"
        }
    }
}

/// A path as it may be shown on a terminal: control characters escaped, cut to 200 characters.
package func quoted(_ text: String) -> String {
    var shown = "'"
    for scalar in text.unicodeScalars.prefix(200) {
        shown +=
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return shown + (text.unicodeScalars.count > 200 ? "…'" : "'")
}
