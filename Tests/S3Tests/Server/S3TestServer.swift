import Foundation

/// A real S3 server (`s3_server.py`) with two buckets, `objects` and `other`, which fails when it is told to.
package final class S3TestServer: Sendable {
    package struct Start: Decodable, Sendable {
        package var port: Int
        package var key: String
        package var secret: String
        /// Of a user who may do nothing.
        package var deniedKey: String
        package var deniedSecret: String
    }

    package let start: Start
    package let endpoint: String
    /// Its own, removed with it.
    package let directory: String
    /// Signs its certificate, if it speaks TLS.
    package let authority: String?
    private let process: ServerProcess

    /// With what `scripts/setup --test-data` installs.
    package static let python = path("../../../.venv/bin/python3")

    package init(isTLS: Bool = false) throws {
        directory = "/tmp/statex-s3-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        var arguments = [Self.path("s3_server.py")]
        authority = isTLS ? directory + "/certificate.pem" : nil
        if let authority {
            let made = try ServerProcess(
                "/usr/bin/openssl",
                [
                    "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
                    directory + "/key.pem", "-out", authority,
                ])
            _ = made.line()
            arguments += ["--tls", authority, directory + "/key.pem"]
        }
        process = try ServerProcess(Self.python, arguments)
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        start = try decoder.decode(Start.self, from: Data(process.line().utf8))
        endpoint = isTLS ? "https://localhost:\(start.port)" : "http://127.0.0.1:\(start.port)"
        try write(key: start.key, secret: start.secret)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// Of who may do everything, until it is written anew.
    package var credentialsFile: String { directory + "/credentials" }

    package func write(key: String, secret: String) throws {
        try Data("[default]\naws_access_key_id = \(key)\naws_secret_access_key=\(secret)\n".utf8).write(
            to: URL(fileURLWithPath: credentialsFile))
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: credentialsFile)
    }

    // MARK: Telling and asking

    /// What the next requests meet, one fault each. Forgets the requests so far.
    package func order(_ faults: [String] = []) throws { _ = try tell(["faults": faults]) }

    /// Methods and paths since the last order.
    package func requests() throws -> [String] { try texts(["requests": true]) }

    /// Bytes of bodies that it sent since the last order.
    package func sent() throws -> Int { try JSONDecoder().decode(Int.self, from: Data(tell(["sent": true]).utf8)) }

    package func keys(in bucket: String = "objects") throws -> [String] { try texts(["keys": bucket]) }

    package func age(_ key: String, days: Double) throws { _ = try tell(["age": key, "days": days]) }
    package func put(_ text: String, at key: String) throws { _ = try tell(["put": key, "text": text]) }

    private func texts(_ order: [String: Any]) throws -> [String] {
        try JSONDecoder().decode([String].self, from: Data(tell(order).utf8))
    }

    private func tell(_ order: [String: Any]) throws -> String {
        let answer = process.ask(try JSONSerialization.data(withJSONObject: order))
        // It ended, or the order made no sense to it.
        guard !answer.isEmpty else { throw POSIXError(.EPIPE) }
        return answer
    }

    private static func path(_ name: String, from file: String = #filePath) -> String {
        URL(fileURLWithPath: file).deletingLastPathComponent().appending(path: name).standardized.path
    }
}
