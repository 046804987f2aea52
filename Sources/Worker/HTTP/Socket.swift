// One TCP socket that never blocks, and waiting: for the socket, for a deadline, or for the word to stop.

import Glibc
import StatexThreads

/// Why bytes did not go over.
enum TransportFault: Error, Equatable {
    /// The attempt must stop.
    case stopped
    case deadline
    case broken(String)
    /// It may not go there.
    case refused(String)
}

/// Until when an attempt may wait, and what ends it sooner.
struct Patience {
    var deadline: ContinuousClock.Instant
    let stop: Wakeup

    /// Waits for `events` on a descriptor; returns those that are there, errors among them.
    func wait(for events: Int32, on descriptor: CInt) throws(TransportFault) -> Int32 {
        var items = [
            pollfd(fd: stop.descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
        ]
        while true {
            let remaining = ContinuousClock.now.duration(to: deadline)
            guard remaining > .zero else { throw .deadline }
            // Rounded up, so that the last poll does not spin.
            let milliseconds = remaining.components.seconds.multipliedReportingOverflow(by: 1_000)
            let rest = remaining.components.attoseconds / 1_000_000_000_000_000 + 1
            let timeout = milliseconds.overflow ? CInt.max : CInt(clamping: milliseconds.partialValue &+ rest)
            let count = poll(&items, nfds_t(items.count), timeout)
            if count < 0, errno != EINTR { throw .broken(systemReason()) }
            guard count > 0 else { continue }
            if items[0].revents != 0 { throw .stopped }
            return Int32(items[1].revents)
        }
    }
}

/// glibc's strerror writes to memory of the calling thread's own.
func systemReason(_ code: CInt = errno) -> String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

/// An address to connect to, as the system writes it.
struct SocketAddress: Sendable {
    let family: CInt
    let bytes: [UInt8]
}

struct Socket: ~Copyable {
    enum Sent {
        case count(Int)
        case full, closed
    }
    enum Received {
        case bytes([UInt8])
        case nothing
        case ended(cleanly: Bool)
    }

    let descriptor: CInt

    init(connectedTo address: SocketAddress, _ patience: Patience) throws(TransportFault) {
        descriptor = socket(
            address.family, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw .broken(systemReason()) }
        var one: CInt = 1
        // A request is written in one piece: there is nothing to gather.
        setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
        let result = address.bytes.withUnsafeBytes { raw in
            // getaddrinfo made these bytes, so they are aligned and long enough for their family.
            raw.withMemoryRebound(to: sockaddr.self) { connect(descriptor, $0.baseAddress, socklen_t(raw.count)) }
        }
        if result == 0 { return }
        guard errno == EINPROGRESS else { throw .broken(systemReason()) }
        _ = try patience.wait(for: POLLOUT, on: descriptor)
        var code: CInt = 0
        var length = socklen_t(MemoryLayout<CInt>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length) == 0 else { throw .broken(systemReason()) }
        guard code == 0 else { throw .broken(systemReason(code)) }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    func send(_ bytes: ArraySlice<UInt8>) -> Sent {
        let count = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
        if count >= 0 { return .count(count) }
        return errno == EAGAIN || errno == EINTR ? .full : .closed
    }

    func receive() -> Received {
        var result = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.receiveBytes) { buffer, count in
            result = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            count = max(0, result)
        }
        if result > 0 { return .bytes(bytes) }
        if result == 0 { return .ended(cleanly: true) }
        return errno == EAGAIN || errno == EINTR ? .nothing : .ended(cleanly: false)
    }

    /// What one read takes: most answers, and little memory for a slot.
    private static let receiveBytes = 64 << 10
}
