import Glibc

/// Why the stack cannot start or go on, and what to do.
package struct StackError: Error, Equatable, CustomStringConvertible {
    package let description: String
    /// What `statex up` exits with.
    package let exitCode: Int32

    /// What the operator asked for cannot be: the exit code of wrong arguments.
    static let usage: Int32 = 2

    package init(_ description: String, exitCode: Int32 = 1) {
        self.description = description
        self.exitCode = exitCode
    }

    static func system(_ action: String, _ number: Int32 = errno) -> StackError {
        StackError("\(action): \(String(cString: strerror(number)))")
    }
}
