import Foundation
import Glibc

/// A server in a process of its own, which prints a line once it serves and ends with its input.
final class ServerProcess: Sendable {
    let firstLine: String
    private let process: pid_t
    /// Its input and output.
    private let socket: CInt

    /// Its socket closes on exec, so that no other child keeps its input open (as pipes of Foundation's
    /// `Process` were), and its end is not left to it.
    init(_ program: String, _ arguments: [String]) throws {
        var ends: (CInt, CInt) = (-1, -1)
        let made = withUnsafeMutablePointer(to: &ends) { pointer in
            pointer.withMemoryRebound(to: CInt.self, capacity: 2) {
                socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, $0)
            }
        }
        guard made == 0 else { throw POSIXError(.EMFILE) }
        defer { close(ends.1) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends.1, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends.1, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child = pid_t()
        guard posix_spawn(&child, program, &actions, nil, &words, environ) == 0 else {
            close(ends.0)
            throw POSIXError(.ENOENT)
        }
        process = child
        socket = ends.0
        firstLine = Self.line(from: ends.0)
    }

    deinit {
        close(socket)
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    /// Empty when the server ends first, or says nothing for a minute.
    private static func line(from socket: CInt) -> String {
        var bytes: [UInt8] = []
        while true {
            var item = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            var byte: UInt8 = 0
            guard poll(&item, 1, 60_000) == 1, read(socket, &byte, 1) == 1 else { return "" }
            if byte == UInt8(ascii: "\n") { return String(decoding: bytes, as: UTF8.self) }
            bytes.append(byte)
        }
    }
}

/// Where a file of this package is, as seen from this folder.
func path(_ name: String, from file: String = #filePath) -> String {
    URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: name).standardized.path
}
