import Foundation
import Testing

@testable import StatexStack

extension EndToEnd {
    /// `scripts/scenario` on the build under test: a day of an operator, with the real handlers.
    @Suite struct ScenarioTests {
        private static let root = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
        private static let hasModels = [
            root + "/.venv/bin/python3", root + "/.models/whisper-tiny.en",
            "/usr/share/pocketsphinx/test/data/librivox",
        ].allSatisfy { FileManager.default.fileExists(atPath: $0) }

        @Test(.enabled(if: hasModels, "scripts/setup --test-data installs models and speech"))
        func `ten steps on the models, from a transcript to a sound journal, hold whatever is killed`() throws {
            let log = "/tmp/statex-scenario-\(getpid()).log"
            defer { unlink(log) }
            var command = Command(
                "/usr/bin/python3", [Self.root + "/scripts/scenario", "--program", TestStack.program],
                environment: ["PATH": "/usr/bin:/bin"])
            command.log = log
            let end = try ChildProcess.run(command, limit: .seconds(118))
            let said = ProcessTable.text(log)
            #expect(end == .exited(0) && said.contains("all 10 steps hold"), "\(end): \(said)")
        }
    }
}
