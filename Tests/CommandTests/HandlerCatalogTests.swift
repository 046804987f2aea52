import Foundation
import StatexConfiguration
import Testing

@testable import statex

@Suite struct HandlerCatalogTests {
    private func kinds(_ settings: [String: String] = [:], only: [String]? = nil) throws -> [String] {
        // An empty one, so that the machine's own is not read.
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var sources = ConfigurationSources(file: file.path, environment: [:])
        for (key, text) in settings { sources.setFlag("--set \(key)", key: key, to: text) }
        let catalog = HandlerCatalog(try LoadedConfiguration.load(sources), slots: 1, objects: nil)
        return try catalog.handlers(only: only).map(\.kind)
    }

    @Test func `handlers that do harm are served only when they are asked for`() throws {
        #expect(try kinds() == ["audio", "echo", "file", "noop", "sleep", "text"])
        #expect(try kinds(only: ["noop", "crash"]) == ["crash", "noop"])
        #expect(try kinds(["fault_handlers": "yes"]).filter(["crash", "fail", "hang"].contains).count == 3)
    }

    @Test func `a kind that nobody has is refused`() { #expect(throws: (any Error).self) { try kinds(only: ["no"]) } }
}
