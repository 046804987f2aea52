import Glibc
import StatexKeys

/// What is wrong with the configuration: everything at once, so that an operator fixes it in one go.
package struct ConfigurationError: Error, Equatable, CustomStringConvertible {
    /// Each names the key, where it was set, the limit and what to do.
    package let problems: [String]

    init(problems: [String]) { self.problems = problems }
    init(_ problem: String) { problems = [problem] }

    package var description: String { problems.joined(separator: "\n") }
}

/// Where a value came from.
package enum Source: Sendable, Equatable, CustomStringConvertible {
    case standard
    case file(String, line: Int)
    case environment(String)
    case flag(String)

    package var description: String {
        switch self {
        case .standard: "default"
        case .file(let path, let line): "\(path):\(line)"
        case .environment(let name): "environment \(name)"
        case .flag(let name): "flag \(name)"
        }
    }
}

extension String {
    /// Without white space at both ends.
    var trimmed: String {
        var rest = self[...]
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return String(rest)
    }

    /// As it may be shown in a message: control characters escaped, cut to 120 characters.
    var shown: String {
        var shown = "'"
        for scalar in unicodeScalars.prefix(120) {
            shown +=
                scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
                ? scalar.escaped(asASCII: true) : String(scalar)
        }
        return shown + (unicodeScalars.count > 120 ? "…'" : "'")
    }
}

/// Reads a whole regular file of at most `limit` bytes.
/// - Parameter isSecret: one that others may read or write is refused.
func readSmallFile(
    _ path: String, limit: Int, for key: String, isSecret: Bool = false
) throws(ConfigurationError) -> String {
    guard !path.utf8.contains(0) else { throw ConfigurationError("\(key): \(path.shown) contains a NUL byte") }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
        throw ConfigurationError("\(key): \(path.shown): \(String(cString: strerror(errno)))")
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw ConfigurationError("\(key): \(path.shown) is not a regular file")
    }
    if isSecret {
        do throws(KeyError) { try checkSecretFile(descriptor, path) } catch {
            throw ConfigurationError("\(key): \(error)")
        }
    }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var count = 0
    while count <= limit {
        let got = bytes.withUnsafeMutableBytes {
            read(descriptor, $0.baseAddress?.advanced(by: count), limit + 1 - count)
        }
        if got < 0 && errno == EINTR { continue }
        guard got >= 0 else { throw ConfigurationError("\(key): \(path.shown): \(String(cString: strerror(errno)))") }
        if got == 0 { break }
        count += got
    }
    guard count <= limit else {
        throw ConfigurationError("\(key): \(path.shown) has more than the \(limit) bytes that are read")
    }
    guard let text = String(validating: bytes[..<count], as: UTF8.self) else {
        throw ConfigurationError("\(key): \(path.shown) is not valid UTF-8")
    }
    return text
}
