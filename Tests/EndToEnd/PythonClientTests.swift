import Foundation
import Testing

@testable import StatexStack

extension EndToEnd {
    /// The client in plain Python that was written from docs/protocol.md alone.
    @Suite struct PythonClientTests {
        private static let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        private static let python = root + "/.venv/bin/python3"

        private struct Answer: Decodable {
            struct Job: Decodable {
                var state: String
                var kind: String
            }
            var request: String
            var state: String
            var jobs: [Job]
        }

        @Test(.enabled(if: access(python, X_OK) == 0, "scripts/setup makes the Python environment"))
        func `submits, waits, and gets the first request for the same key`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 2)
                let first = try submit(stack, key: "k")
                #expect(first.state == "succeeded" && first.jobs.map(\.kind) == ["echo", "echo"])
                let again = try submit(stack, key: "k")
                #expect(again.request == first.request)
                let other = try submit(stack, key: "l")
                #expect(other.request != first.request)
            }
        }

        private func submit(_ stack: TestStack, key: String) throws -> Answer {
            let log = stack.directory + "/python-\(UInt32.random(in: .min ... .max)).log"
            var command = Command(
                Self.python,
                [
                    Self.root + "/docs/examples/statex_client.py", "--endpoint", stack.submitEndpoint(), "--kind",
                    "echo",
                    "--payload", "one", "--payload", "two", "--key", key,
                ], environment: ["PATH": "/usr/bin:/bin"])
            command.log = log
            let end = try ChildProcess.run(command, limit: .seconds(60))
            let said = try Data(contentsOf: URL(fileURLWithPath: log))
            #expect(end == .exited(0), "\(String(decoding: said, as: UTF8.self))")
            return try JSONDecoder().decode(Answer.self, from: said)
        }
    }
}
