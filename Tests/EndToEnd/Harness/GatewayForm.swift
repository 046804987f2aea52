import Foundation
import Glibc

/// A form as browsers send it.
struct GatewayForm {
    static let boundary = "----statex-tests"
    static let type = "multipart/form-data; boundary=\(boundary)"

    private(set) var bytes = Data()

    mutating func field(_ name: String, _ text: String) { add("name=\"\(name)\"", Data(text.utf8)) }

    mutating func file(_ name: String, _ content: Data, type: String = "application/octet-stream") {
        add("name=\"\(name)\"; filename=\"../\(name).bin\"\r\nContent-Type: \(type)", content)
    }

    var ended: Data { bytes + Data("--\(Self.boundary)--\r\n".utf8) }

    private mutating func add(_ head: String, _ content: Data) {
        bytes += Data("--\(Self.boundary)\r\nContent-Disposition: form-data; \(head)\r\n\r\n".utf8)
        bytes += content + Data("\r\n".utf8)
    }
}

extension GatewayVisitor {
    func post(_ form: GatewayForm, key: String? = nil) async throws -> Answer {
        var headers = ["Content-Type": GatewayForm.type]
        headers["Idempotency-Key"] = key
        return try await send("POST", "/v1/requests", body: form.ended, headers)
    }
}

/// A form that is sent as far as a test likes, over a connection of its own.
final class GatewayUpload {
    private let socket: Int32

    /// - Parameters:
    ///   - length: what is promised.
    ///   - asks: whether to ask before sending.
    init(_ visitor: GatewayVisitor, length: Int, asks: Bool = false) throws {
        guard let url = URL(string: visitor.url), let port = url.port.flatMap(UInt16.init(exactly:)) else {
            throw HarnessError("\(visitor.url) has no port")
        }
        socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw HarnessError("connecting to \(visitor.url): \(errno)") }
        let lines = [
            "POST /v1/requests HTTP/1.1", "Host: x", "Authorization: Bearer \(visitor.token)",
            "Content-Type: \(GatewayForm.type)", "Content-Length: \(length)",
        ]
        try send(Data((lines + (asks ? ["Expect: 100-continue"] : []) + ["", ""]).joined(separator: "\r\n").utf8))
    }

    deinit { close(socket) }

    func send(_ bytes: Data) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw HarnessError("sending: \(errno)") }
            rest = rest.dropFirst(count)
        }
    }

    /// What is answered, up to the end of its head or of the connection.
    func answer() -> String {
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while !text.contains("\r\n\r\n") {
            let count = recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            text += String(decoding: buffer.prefix(count), as: UTF8.self)
        }
        return text
    }
}
