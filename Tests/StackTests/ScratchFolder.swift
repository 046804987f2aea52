import Foundation

@testable import StatexStack

/// A directory of a test's own that any user may enter, removed with it.
final class ScratchFolder: Sendable {
    let path: String

    init() throws {
        // Short, because sockets lie in it; and not below a temporary directory that only we may enter.
        path = "/tmp/statex-" + String(UInt64.random(in: .min ... .max), radix: 36)
        try makePath(path, mode: 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
