import Dispatch
import Glibc

/// One connection by hand, for requests that no client would send. What waits does so on a thread of its own: the
/// listener needs those of tasks.
final class HTTPTalk: Sendable {
    private let descriptor: Int32

    /// - Parameter address: of the loopback interface, such as `127.0.0.1:40123`.
    init(_ address: String) throws {
        let parts = address.split(separator: ":")
        guard parts.count == 2, let port = UInt16(parts[1]) else { throw TalkError("\(address) is no address") }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = port.bigEndian
        inet_pton(AF_INET, String(parts[0]), &place.sin_addr)
        let result = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw TalkError("no connection to \(address)") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            // It hung up: what it said before is read next.
            guard count > 0 else { return }
            sent += count
        }
    }

    /// One answer, by its Content-Length; what came until the end, if it ended before.
    func answer(within seconds: Int = 30) async throws -> String {
        try await Self.onThread { try self.readAnswer(within: seconds) }
    }

    private func readAnswer(within seconds: Int) throws -> String {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let length =
                    text[..<end.lowerBound].split(separator: "\r\n").first {
                        $0.lowercased().hasPrefix("content-length:")
                    }.flatMap { Int($0.split(separator: " ").last ?? "") } ?? 0
                if text[end.upperBound...].utf8.count >= length { return text }
            }
            try wait(seconds)
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { return text }
            bytes += piece[..<count]
        }
    }

    /// Waits for the other side to hang up.
    func waitUntilClosed(within seconds: Int = 30) async throws {
        try await Self.onThread {
            var piece = [UInt8](repeating: 0, count: 65_536)
            repeat { try self.wait(seconds) } while recv(self.descriptor, &piece, piece.count, 0) > 0
        }
    }

    /// Whether something came, or the other side hung up, until then.
    func hasNews(within milliseconds: Int32) async throws -> Bool {
        try await Self.onThread { self.poll(milliseconds) }
    }

    private func poll(_ milliseconds: Int32) -> Bool {
        var item = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return Glibc.poll(&item, 1, milliseconds) > 0
    }

    private func wait(_ seconds: Int) throws {
        guard poll(Int32(seconds * 1_000)) else { throw TalkError("nothing came within \(seconds) s") }
    }

    private static func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value
    {
        try await withCheckedThrowingContinuation { done in
            DispatchQueue.global().async { done.resume(with: Result { try body() }) }
        }
    }

    static func get(_ path: String, at address: String) async throws -> String {
        let talk = try HTTPTalk(address)
        talk.send("GET \(path) HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        return try await talk.answer()
    }
}

struct TalkError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
