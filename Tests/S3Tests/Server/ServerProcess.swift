import Foundation
import Glibc

/// A program in a process of its own that answers a line with a line and ends with its input.
package final class ServerProcess: Sendable {
    private let process: pid_t
    /// Its input and output, closed on exec, so that no other child keeps its input open.
    private let socket: CInt

    package init(_ program: String, _ arguments: [String]) throws {
        var ends: [CInt] = [-1, -1]
        guard socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw POSIXError(.EMFILE)
        }
        defer { close(ends[1]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child = pid_t()
        guard posix_spawn(&child, program, &actions, nil, &words, environ) == 0 else {
            close(ends[0])
            throw POSIXError(.ENOENT)
        }
        process = child
        socket = ends[0]
    }

    deinit {
        close(socket)
        kill(process, SIGKILL)
        waitpid(process, nil, 0)
    }

    package func ask(_ line: Data) -> String {
        _ = Array(line + [UInt8(ascii: "\n")]).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, 0) }
        return self.line()
    }

    /// Empty when the program ends first, or says nothing for a minute.
    package func line() -> String {
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
