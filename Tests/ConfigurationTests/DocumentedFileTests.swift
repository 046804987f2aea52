import Foundation
import Testing

@testable import StatexConfiguration

/// `config/statex.yaml` against the code: every key, and its true default.
struct DocumentedFileTests {
    private let text: String

    init() throws {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../config/statex.yaml")
        text = try String(contentsOf: file, encoding: .utf8)
    }

    /// The file with the given lines' comment signs taken away.
    private func uncommented(_ lines: some Sequence<Substring>) -> String {
        lines.map { $0.first == "#" && $0.dropFirst().first != " " ? $0.dropFirst() : $0 }.joined(separator: "\n")
    }

    @Test func `as it stands it changes nothing`() throws {
        #expect(try load(text).configuration == load().configuration)
    }

    @Test func `names every key with its default`() throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let end = try #require(lines.firstIndex(of: "#handlers: []"))
        // As for root: the data directory's default, and so those that follow from it, depend on who runs.
        let documented = try load(uncommented(lines[...end]))
        let standard = try load("data_dir: /var/lib/statex")
        #expect(documented.configuration == standard.configuration)
        // The keys of a group stand in its example.
        let entries = standard.entries.filter { !$0.key.contains(".") }
        for entry in entries where entry.value != nil {
            let found = documented.entries.first { $0.key == entry.key }
            #expect(found?.value == entry.value)
            if case .file? = found?.source {} else { Issue.record("config/statex.yaml does not document \(entry.key)") }
        }
        for entry in entries where entry.value == nil {
            #expect(text.contains("\n#\(entry.key):\n"), "config/statex.yaml does not document \(entry.key)")
        }
    }

    /// The examples of maps stand a space further in than keys that may be uncommented alone.
    private func example(_ key: String) throws -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0 == "# \(key):" })
        return lines[start...].prefix { $0.hasPrefix("# ") }.map { $0.dropFirst(2) }.joined(separator: "\n")
    }

    @Test(arguments: [
        ("kinds", "kinds.transcribe."), ("tenants", "tenants.acme."), ("schedules", "schedules.nightly-digest."),
        ("gateway_tokens", "gateway_tokens."), ("webhooks", "webhooks.acme-billing."),
    ])
    func `its groups are read, with every key`(key: String, prefix: String) throws {
        let loaded = try load(example(key))
        let entries = loaded.entries.filter { $0.key.hasPrefix(prefix) }
        #expect(!entries.isEmpty)
        // Of two keys that exclude each other, one stands in a comment.
        for entry in entries where entry.key != "gateway_tokens.jwks_file" {
            if case .file = entry.source {} else { Issue.record("config/statex.yaml does not document \(entry.key)") }
        }
    }

    @Test func `its handlers are read, with every key of a handler`() throws {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex(of: "#handlers:"))
        let loaded = try load(lines[start...].map { $0.dropFirst() }.joined(separator: "\n"))
        #expect(loaded.configuration.handlers.map(\.kind) == ["translate", "dictate"])
        for entry in loaded.entries where entry.key.hasPrefix("handlers") && !entry.key.hasSuffix("key_environment") {
            if case .file = entry.source {} else { Issue.record("config/statex.yaml does not document \(entry.key)") }
        }
    }
}
