import Glibc
import StatexThreads
import Synchronization

/// A server on the loopback that does with each connection what a script says, one after the other.
final class ScriptedServer: Sendable {
    let port: UInt16
    private let listener: CInt
    private let thread: NamedThread
    private let connections: Counter

    var url: String { "http://127.0.0.1:\(port)" }
    /// How many connections came.
    var count: Int { connections.value }

    init(_ script: @escaping @Sendable (Peer) -> Void) {
        let (listener, port) = Self.listen()
        let connections = Counter()
        thread = NamedThread("scripted") {
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                connections.add()
                script(Peer(descriptor))
                close(descriptor)
            }
        }
        self.listener = listener
        self.port = port
        self.connections = connections
    }

    func stop() {
        shutdown(listener, CInt(SHUT_RDWR))
        thread.join()
        close(listener)
    }

    /// A port that refuses: bound, so that nobody else gets it, and not listening.
    static func refusingPort() -> (port: UInt16, descriptor: CInt) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        return (bindToLoopback(descriptor), descriptor)
    }

    private static func listen() -> (CInt, UInt16) {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        let port = bindToLoopback(descriptor)
        Glibc.listen(descriptor, 16)
        return (descriptor, port)
    }

    private static func bindToLoopback(_ descriptor: CInt) -> UInt16 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(descriptor, raw, length)
                _ = getsockname(descriptor, raw, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}

final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}

/// The client's end as the server sees it. Every wait ends after ten seconds.
struct Peer: Sendable {
    private let descriptor: CInt

    init(_ descriptor: CInt) {
        self.descriptor = descriptor
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// The whole request, as far as its length says.
    @discardableResult func request() -> ReceivedRequest {
        var bytes: [UInt8] = []
        while true {
            let request = ReceivedRequest(bytes)
            if request.isComplete { return request }
            let more = receive()
            if more.isEmpty { return request }
            bytes += more
        }
    }

    /// What comes next; empty when the client closed.
    func receive() -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
        }
    }

    /// False: the client is gone.
    @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func answer(_ body: String, status: String = "200 OK", headers: String = "") {
        send("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }

    /// Says nothing until the client goes.
    func awaitEnd() { while !receive().isEmpty {} }

    /// Sends until the client goes, or four gigabytes are through.
    func sendEndlessly(_ bytes: [UInt8]) {
        var total = 0
        while total < 4 << 30, send(bytes) { total += bytes.count }
    }
}

struct ReceivedRequest: Sendable {
    let head: String
    let body: [UInt8]
    private let length: Int

    init(_ bytes: [UInt8]) {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else {
            (head, body, length) = ("", [], .max)
            return
        }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let field = head.split(separator: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
        length = field.flatMap { Int($0.dropFirst(15).drop { $0 == " " }) } ?? 0
        self.head = head
        body = Array(bytes[end.upperBound...])
    }

    var isComplete: Bool { body.count >= length }

    func has(_ line: String) -> Bool { head.split(separator: "\r\n").contains { $0 == line } }
}
