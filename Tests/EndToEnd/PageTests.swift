import Foundation
import Testing

@testable import StatexStack

/// The page in a browser, before a whole stack with the real handlers: `Page`, in Python as what drives the browser.
/// (Outside of `EndToEnd`, whose limit of two minutes is made for less.)
@Suite(.serialized, .timeLimit(.minutes(10))) struct PageTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
    private static let hasBrowser = ["/usr/bin/chromium", "/usr/bin/chromedriver", root + "/.venv/bin/python3"]
        .allSatisfy { FileManager.default.fileExists(atPath: $0) }
    private static let hasModels = [root + "/.models/whisper-tiny.en", "/usr/share/pocketsphinx/test/data/librivox"]
        .allSatisfy { FileManager.default.fileExists(atPath: $0) }

    /// - Parameter file: whose tests must all pass.
    private func pass(_ file: String) throws {
        let log = "/tmp/statex-page-\(getpid())-\(file).log"
        defer { unlink(log) }
        var command = Command(
            Self.root + "/.venv/bin/python3",
            ["-m", "pytest", "-q", "-p", "no:cacheprovider", Self.root + "/Tests/EndToEnd/Page/" + file],
            environment: [
                "PATH": "/usr/bin:/bin", "HOME": "/tmp", "STATEX_PROGRAM": TestStack.program,
                "PYTHONDONTWRITEBYTECODE": "1",
            ])
        command.log = log
        let end = try ChildProcess.run(command, limit: .seconds(600))
        let said = ProcessTable.text(log)
        #expect(end == .exited(0) && said.contains(" passed"), "\(end): \(said)")
    }

    @Test(.enabled(if: hasBrowser && hasModels, "scripts/setup --test-data installs them"))
    func `a person submits a text, a recording and a document, watches, and reads the results`() throws {
        try pass("test_seed_flow.py")
    }

    @Test(.enabled(if: hasBrowser && hasModels, "scripts/setup --test-data installs them"))
    func `operators see what is, and order from there`() throws {
        try pass("test_operators.py")
    }
}
