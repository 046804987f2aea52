import Foundation
import Testing

@testable import StatexGateway

/// The table of attacks names tests that exist.
struct ThreatModelTests {
    @Test func `each attack is held by tests that there are`() throws {
        let docs = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs").standardized
        let text = try String(contentsOf: docs.appending(path: "threat-model.md"), encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| ") && !$0.hasPrefix("| attack") }
            .filter { !$0.hasPrefix("| ---") }
        #expect(rows.count >= 35)
        for row in rows {
            let held = row.matches(of: /\[\w+\]\(([^)]+)\) \*([^*]+)\*/)
            #expect(!held.isEmpty, "\(row)")
            for test in held {
                let file = docs.appending(path: String(test.output.1)).standardized
                let source = try String(contentsOf: file, encoding: .utf8)
                let name = String(test.output.2)
                #expect(
                    source.contains("`\(name)`") || source.contains("@Test(\"\(name)\")")
                        || source.contains("def \(name)("), "\(file.path) has no \(name)")
            }
        }
    }
}
