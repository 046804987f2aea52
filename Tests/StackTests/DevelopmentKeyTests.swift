import Foundation
import Testing

@testable import StatexStack

struct DevelopmentKeyTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private var file: String { scratch.path + "/data/run/gateway.key" }

    private func secret() throws -> [UInt8] { try DevelopmentKey.secret(inDataDirectory: scratch.path + "/data") }

    @Test func `it is made once, at random, and for us alone`() throws {
        let first = try secret()
        #expect(first.count == 64)
        #expect(try secret() == first)
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path + "/data/run") == ["gateway.key"])
        try FileManager.default.removeItem(atPath: file)
        #expect(try secret() != first)
    }

    @Test func `many that make it at once have the same`() async throws {
        let secrets = try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for _ in 0..<8 { group.addTask { try secret() } }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(secrets.count == 1)
    }

    @Test func `one that others may read, that was cut, or that is a link is refused`() throws {
        _ = try secret()
        chmod(file, 0o644)
        #expect(throws: StackError.self) { try secret() }
        chmod(file, 0o600)
        try Data("short".utf8).write(to: URL(fileURLWithPath: file))
        chmod(file, 0o600)
        #expect(throws: StackError.self) { try secret() }
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: "/etc/hostname")
        #expect(throws: StackError.self) { try secret() }
    }
}
