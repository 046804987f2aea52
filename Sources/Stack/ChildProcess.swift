// Child processes: started with `posix_spawn` in a session of their own, with no descriptor but those
// meant for them, and told to end when this process dies, however that comes.

import CLinux
import Glibc
import StatexObjects

/// What to start.
package struct Command: Sendable {
    /// An absolute path.
    package var program: String
    package var arguments: [String]
    package var environment: [String: String]
    /// Who it runs as; nil: as we do. Needs root.
    package var user: OrdinaryUser?
    /// What it is sent when this process dies.
    package var deathSignal: String = "TERM"
    /// Where its standard output and error go; nil: where ours go.
    package var log: String?
    /// Text for its standard input; nil: `/dev/null`. At most what a pipe holds.
    package var input: String?
    /// Whether it tells through `STATEX_READY_FD` that it serves.
    package var announces = false

    package init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], user: OrdinaryUser? = nil
    ) {
        self.program = program
        self.arguments = arguments
        self.environment = environment
        self.user = user
    }
}

/// How a process ended.
package enum ProcessEnd: Sendable, Equatable, CustomStringConvertible {
    case exited(Int32)
    case signalled(Int32)

    init(waitStatus status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }

    package var description: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal): "signal \(signal) (\(String(cString: strsignal(signal))))"
        }
    }
}

/// A started process and the right to signal and to reap it. Letting go of it leaves it running.
package struct ChildProcess: ~Copyable {
    package let pid: pid_t
    /// Readable when the process has ended.
    let handle: FileDescriptor
    /// Where it announces that it serves.
    let readiness: FileDescriptor?

    /// The descriptor number at which a child finds its end of the readiness channel.
    static let readyDescriptor: Int32 = 3

    package static func start(_ command: Command) throws(StackError) -> ChildProcess {
        var ours: FileDescriptor?
        var theirs: FileDescriptor?
        if command.announces {
            let pair = try socketPair()
            ours = FileDescriptor(owning: pair.0)
            theirs = FileDescriptor(owning: pair.1)
        }
        let input = try standardInput(command)
        let output = try standardStream(1, command, otherwise: input)
        let errors = try standardStream(2, command, otherwise: input)
        let descriptors = [input.raw, output.raw, errors.raw] + (theirs.rawOrNil.map { [$0] } ?? [])
        let result = SpawnThread.shared.run { spawn(command, descriptors) }
        guard case .success(let pid) = result else {
            if case .failure(let error) = result { throw error }
            throw StackError("the thread that starts processes gave no answer")
        }
        let handle = clinux_pidfd_open(pid)
        guard handle >= 0 else {
            kill(pid, SIGKILL)
            waitpid(pid, nil, 0)
            throw .system("pidfd_open", -handle)
        }
        return ChildProcess(pid: pid, handle: FileDescriptor(owning: handle), readiness: ours)
    }

    /// Safe at any time before the process is reaped: its pid cannot be another's until then.
    package borrowing func signal(_ number: Int32) { kill(pid, number) }

    /// How the process ended, if it has; it is then gone, and this value must not be used again.
    package borrowing func reap() -> ProcessEnd? {
        var status: Int32 = 0
        while true {
            let result = waitpid(pid, &status, WNOHANG)
            if result == pid { return ProcessEnd(waitStatus: status) }
            if result < 0 && errno == EINTR { continue }
            // Nothing to wait for although it is ours: somebody else reaped it.
            return result < 0 ? .signalled(0) : nil
        }
    }

    /// Waits for the end, up to a limit, and reaps.
    package borrowing func wait(atMost limit: Duration) -> ProcessEnd? {
        let deadline = ContinuousClock.now + limit
        repeat {
            if let status = reap() { return status }
            waitReadable([handle.raw], until: deadline)
        } while ContinuousClock.now < deadline
        return reap()
    }

    /// Runs a command to its end. A process that does not end in time is killed.
    package static func run(_ command: Command, limit: Duration) throws(StackError) -> ProcessEnd {
        let child = try start(command)
        if let status = child.wait(atMost: limit) { return status }
        child.signal(SIGKILL)
        return child.wait(atMost: .seconds(10)) ?? .signalled(SIGKILL)
    }
}

extension Optional where Wrapped == FileDescriptor {
    var rawOrNil: Int32? {
        switch self {
        case .some(let descriptor): descriptor.raw
        case .none: nil
        }
    }
}

/// Two connected sockets. (Not a pipe: one can write to a socket that nobody reads without a signal.)
func socketPair() throws(StackError) -> (Int32, Int32) {
    var pair: [Int32] = [-1, -1]
    let result = clinux_socket_pair(&pair)
    guard result == 0 else { throw .system("socketpair", result) }
    return (pair[0], pair[1])
}

/// Above the numbers that a child gives a meaning, so that none is overwritten while they are laid out.
private func lifted(_ raw: Int32) -> FileDescriptor? {
    let copy = fcntl(raw, F_DUPFD_CLOEXEC, 16)
    return copy < 0 ? nil : FileDescriptor(owning: copy)
}

private func standardInput(_ command: Command) throws(StackError) -> FileDescriptor {
    guard let text = command.input else { return try opened("/dev/null", O_RDWR) }
    let pair = try socketPair()
    let reader = FileDescriptor(owning: pair.0)
    let writer = FileDescriptor(owning: pair.1)
    let bytes = Array(text.utf8)
    // Far below what a socket's buffer holds, so that this cannot block.
    precondition(bytes.count < 4096)
    guard write(writer.raw, bytes, bytes.count) == bytes.count else { throw .system("writing a child's input") }
    return reader
}

/// The command's log, or our own stream of that number; `other` when we have none.
private func standardStream(
    _ number: Int32, _ command: Command, otherwise other: borrowing FileDescriptor
) throws(StackError) -> FileDescriptor {
    if let log = command.log {
        // Only the first of the two starts it anew; both append.
        return try opened(log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | (number == 1 ? O_TRUNC : 0))
    }
    if let ours = lifted(number) { return ours }
    guard let copy = lifted(other.raw) else { throw .system("copying a descriptor") }
    return copy
}

private func opened(_ path: String, _ flags: Int32) throws(StackError) -> FileDescriptor {
    let raw = open(path, flags | O_CLOEXEC, 0o600)
    guard raw >= 0 else { throw .system("opening \(path)") }
    let low = FileDescriptor(owning: raw)
    guard let high = lifted(low.raw) else { throw .system("copying a descriptor") }
    return high
}

/// `setpriv` (util-linux, on every Debian) sets the parent-death signal and drops the rights between
/// fork and exec, where no Swift may run.
private func argumentVector(_ command: Command) -> [String] {
    var vector = ["/usr/bin/setpriv", "--pdeathsig", command.deathSignal]
    if let user = command.user {
        vector += ["--reuid=\(user.uid)", "--regid=\(user.gid)", "--init-groups", "--inh-caps=-all", "--no-new-privs"]
    }
    return vector + ["--", command.program] + command.arguments
}

private func spawn(_ command: Command, _ descriptors: [Int32]) -> Result<pid_t, StackError> {
    let vector = argumentVector(command)
    var variables = command.environment
    if command.announces { variables["STATEX_READY_FD"] = String(ChildProcess.readyDescriptor) }
    let environment = variables.map { "\($0.key)=\($0.value)" }
    return withCStrings(vector) { arguments in
        withCStrings(environment) { environment in
            var pid: pid_t = 0
            let result = clinux_spawn_session(
                &pid, vector[0], arguments, environment, descriptors, Int32(descriptors.count))
            return result == 0 ? .success(pid) : .failure(.system("starting \(command.program)", result))
        }
    }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
}

/// Waits until one of the descriptors is readable or the deadline has come.
func waitReadable(_ descriptors: [Int32], until deadline: ContinuousClock.Instant?) {
    var entries = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
    var milliseconds: Int32 = -1
    if let deadline {
        let left = (deadline - .now).components
        let total = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
        // One more, so that a deadline a fraction of a millisecond away is not polled in a spin.
        milliseconds = Int32(clamping: max(0, total + 1))
    }
    // EINTR and a time-out are the same to the caller: it looks at its deadlines again.
    poll(&entries, nfds_t(entries.count), milliseconds)
}
