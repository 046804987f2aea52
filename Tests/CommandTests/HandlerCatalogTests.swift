import Foundation
import StatexConfiguration
import StatexHandlers
import Testing

@testable import statex

@Suite struct HandlerCatalogTests {
    private func load(_ settings: [String: String], environment: [String: String] = [:]) throws -> LoadedConfiguration {
        // An empty one, so that the machine's own is not read.
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data().write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        var sources = ConfigurationSources(file: file.path, environment: environment)
        for (key, text) in settings { sources.setFlag("--set \(key)", key: key, to: text) }
        return try LoadedConfiguration.load(sources)
    }

    private func catalog(_ settings: [String: String]) throws -> HandlerCatalog {
        HandlerCatalog(try load(settings), slots: 1, objects: nil)
    }

    private func kinds(_ settings: [String: String] = [:], only: [String]? = nil) throws -> [String] {
        try catalog(settings).handlers(only: only).map(\.kind)
    }

    @Test func `handlers that do harm are served only when they are asked for`() throws {
        #expect(try kinds() == ["audio", "echo", "file", "noop", "sleep", "stream", "text"])
        #expect(try kinds(only: ["noop", "crash"]) == ["crash", "noop"])
        #expect(try kinds(["fault_handlers": "yes"]).filter(["crash", "fail", "hang"].contains).count == 3)
    }

    @Test func `a Python that is named without a directory is looked for in PATH`() throws {
        #expect(try catalog(["python": "sh"]).installation.python.hasSuffix("/sh"))
        #expect(try catalog(["python": "/opt/p"]).installation.python == "/opt/p")
        #expect(try catalog(["models": "/srv/m"]).installation.models == "/srv/m")
    }

    @Test func `variables of the built-in handlers are passed on to them, and not called unknown`() throws {
        let variables = ["STATEX_MODEL_SUMS", "STATEX_AUDIO_X", "STATEX_TEXT_X", "STATEX_FILE_X", "STATEX_OCR_X"]
        let environment = Dictionary(uniqueKeysWithValues: variables.map { ($0, "v") })
        let place = Installation(executable: "/b/statex", python: nil, models: nil)
        let settings = BuiltInHandlers.settings("text", place, scratch: "/s", processes: 1, environment: environment)
        #expect(variables.allSatisfy { settings.environment[$0] == "v" })
        #expect(try load([:], environment: environment).ignoredVariables == [])
    }

    @Test func `a kind that nobody has is refused`() { #expect(throws: (any Error).self) { try kinds(only: ["no"]) } }
}
