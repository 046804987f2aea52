import Foundation
import S3TestServer

/// A collector of spans (`collector.py`), which takes only what OpenTelemetry's own definition allows.
package final class Collector: Sendable {
    package struct Span: Decodable, Sendable {
        package var service: String
        package var trace: String
        package var span: String
        /// Empty: it has none.
        package var parent: String
        package var name: String
        package var kind: Int
        package var start: UInt64
        package var end: UInt64
        package var attributes: [String: String]
        package var failed: Bool
    }

    /// It took something that is no OTLP.
    package struct Fault: Error {
        package var faults: [String]
    }

    package let endpoint: String
    private let process: ServerProcess

    /// With what `scripts/setup --test-data` installs.
    package init() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "collector.py").path
        process = try ServerProcess(S3TestServer.python, [script])
        guard let port = Int(process.line()) else { throw POSIXError(.ENOENT) }
        endpoint = "http://127.0.0.1:\(port)"
    }

    /// What the next requests are answered, one each, without taking what they bring.
    package func answer(_ statuses: [Int]) throws { _ = try ask(["answers": statuses]) }

    package func spans() throws -> [Span] {
        struct Taken: Decodable {
            var spans: [Span]
            var faults: [String]
        }
        let taken = try JSONDecoder().decode(Taken.self, from: Data(ask(["spans": true]).utf8))
        guard taken.faults.isEmpty else { throw Fault(faults: taken.faults) }
        return taken.spans
    }

    /// The heads of all requests so far, with their `path`.
    package func requests() throws -> [[String: String]] {
        try JSONDecoder().decode([[String: String]].self, from: Data(ask(["requests": true]).utf8))
    }

    private func ask(_ order: [String: Any]) throws -> String {
        process.ask(try JSONSerialization.data(withJSONObject: order))
    }
}
