// What this room takes from the operating system: descriptors that close themselves, waiting with a
// deadline, and the monotonic clock.

import CLinux
import Glibc
import StatexThreads

/// Owns one file descriptor. A class and not a `~Copyable` value, because a process moves between the
/// pool's list and a slot's thread, and a canceller holds its job's wake descriptor beside that thread.
final class Descriptor: Sendable {
    let number: CInt

    init(owning number: CInt) { self.number = number }

    deinit { close(number) }

    /// `(reading end, writing end)`
    static func pipe() throws(SystemError) -> (Descriptor, Descriptor) {
        try pair("pipe") { clinux_pipe($0) }
    }

    static func socketPair() throws(SystemError) -> (Descriptor, Descriptor) {
        try pair("socketpair") { clinux_socket_pair($0) }
    }

    private static func pair(
        _ call: StaticString, _ make: (UnsafeMutablePointer<CInt>) -> CInt
    ) throws(SystemError) -> (Descriptor, Descriptor) {
        var ends: (CInt, CInt) = (-1, -1)
        let code = withUnsafeMutablePointer(to: &ends) { pointer in
            pointer.withMemoryRebound(to: CInt.self, capacity: 2) { make($0) }
        }
        guard code == 0 else { throw SystemError(call, code) }
        return (Descriptor(owning: ends.0), Descriptor(owning: ends.1))
    }

    func setNonBlocking() throws(SystemError) {
        let code = clinux_set_nonblocking(number)
        guard code == 0 else { throw SystemError("fcntl", code) }
    }

    /// What is there to read, at most `limit` bytes; nil at the end; empty when there is nothing now.
    func read(atMost limit: Int) -> [UInt8]? {
        var ended = false
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let got = Glibc.read(number, buffer.baseAddress, limit)
            ended = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)
            count = max(0, got)
        }
        return ended ? nil : bytes
    }

    /// Says one byte; a peer that is gone does not hear it.
    func say(_ command: Character) {
        guard var byte = command.asciiValue else { return }
        _ = send(number, &byte, 1, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }

    /// Writes everything, waiting for room until the deadline. False: the reader is gone or too slow.
    func write(_ bytes: [UInt8], until deadline: Deadline) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            while !rest.isEmpty {
                let count = clinux_write_quietly(number, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if count < 0, errno == EINTR {
                    continue
                } else if count < 0, errno == EAGAIN {
                    var wait = [pollfd(fd: number, events: Int16(POLLOUT), revents: 0)]
                    if waitForAny(&wait, until: deadline) == .deadline { return false }
                } else {
                    return false
                }
            }
            return true
        }
    }
}

/// Which call the system refused, and why.
struct SystemError: Error, CustomStringConvertible {
    let call: String
    let code: CInt

    init(_ call: StaticString, _ code: CInt = errno) {
        self.call = "\(call)"
        self.code = code
    }

    var description: String { "\(call): \(reason(of: code))" }
}

/// glibc's strerror writes to memory of the calling thread's own.
func reason(of code: CInt) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

/// A moment on the clock that never steps back.
struct Deadline: Sendable, Comparable {
    private let milliseconds: Int

    private init(_ milliseconds: Int) { self.milliseconds = milliseconds }

    static let never = Deadline(Int.max)

    static func now() -> Deadline {
        Deadline(Int(clinux_monotonic_nanoseconds() / 1_000_000))
    }

    static func after(milliseconds: Int) -> Deadline {
        let (sum, overflow) = now().milliseconds.addingReportingOverflow(max(0, milliseconds))
        return overflow ? .never : Deadline(sum)
    }

    static func < (left: Deadline, right: Deadline) -> Bool { left.milliseconds < right.milliseconds }

    var hasPassed: Bool { self <= .now() }

    /// From now on; 0 when it has passed.
    var remaining: Int { max(0, milliseconds &- Deadline.now().milliseconds) }

    /// For poll, which takes 32 bits; -1 waits for ever.
    fileprivate var timeout: CInt { self == .never ? -1 : CInt(clamping: remaining) }
}

enum WaitResult { case ready, deadline }

/// Waits until one of the descriptors has something to say.
func waitForAny(_ waits: inout [pollfd], until deadline: Deadline) -> WaitResult {
    while true {
        let count = poll(&waits, nfds_t(waits.count), deadline.timeout)
        if count > 0 { return .ready }
        if deadline.hasPassed { return .deadline }
    }
}

/// Rights that are handed out and come back; waited for together with a wake.
final class Permits: Sendable {
    private let descriptor: Descriptor

    init(_ count: Int) throws(SystemError) {
        let number = clinux_semaphore(CUnsignedInt(clamping: count))
        guard number >= 0 else { throw SystemError("eventfd") }
        descriptor = Descriptor(owning: number)
    }

    /// False: woken first.
    func take(orWokenBy wake: Wakeup) -> Bool {
        while true {
            var waits = [
                pollfd(fd: wake.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0),
            ]
            _ = waitForAny(&waits, until: .never)
            if waits[0].revents != 0 { return false }
            if descriptor.read(atMost: 8)?.count == 8 { return true }
        }
    }

    func giveBack() {
        var one: UInt64 = 1
        _ = write(descriptor.number, &one, MemoryLayout<UInt64>.size)
    }
}

/// Runs `body`, which blocks, on a thread of its own: the threads of async code are few.
func onThread<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
    await withCheckedContinuation { continuation in
        NamedThread("handler") { continuation.resume(returning: body()) }.detach()
    }
}
