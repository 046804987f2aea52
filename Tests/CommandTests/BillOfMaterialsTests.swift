import Foundation
import Testing

/// `scripts/sbom`: what Statex is made of.
@Suite struct BillOfMaterialsTests {
    private struct Bill: Decodable {
        struct Component: Decodable {
            var name: String
            var version: String
            var purl: String
            var scope: String
        }
        struct Dependency: Decodable {
            var ref: String
            var dependsOn: [String]
        }
        var bomFormat: String
        var specVersion: String
        var components: [Component]
        var dependencies: [Dependency]
    }

    private static let root = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized

    /// SwiftPM runs these tests, and lets nobody else in meanwhile.
    private func write() throws -> Data {
        let process = Process()
        process.executableURL = Self.root.appending(path: "scripts/sbom")
        process.arguments = ["--no-resolve"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return data
    }

    /// The numbers of a version, to be compared.
    private func numbers(_ version: String) -> [Int] { version.split(separator: ".").compactMap { Int($0) } }

    @Test func `it names everything once, with a version, and says the same each time`() throws {
        let data = try write()
        #expect(try data == write())
        let bill = try JSONDecoder().decode(Bill.self, from: data)
        #expect(bill.bomFormat == "CycloneDX" && bill.specVersion == "1.5")
        #expect(Set(bill.components.map(\.purl)).count == bill.components.count)
        for component in bill.components {
            #expect(component.purl.contains("@") && component.version.contains { $0.isNumber }, "\(component)")
        }
        let resolved = try JSONSerialization.jsonObject(
            with: Data(contentsOf: Self.root.appending(path: "Package.resolved")))
        let pins = ((resolved as? [String: Any])?["pins"] as? [Any])?.count
        #expect(bill.components.count { $0.purl.hasPrefix("pkg:swift/") } == pins)
        for name in ["libzmq5", "libpq5", "libssl3", "libsodium23", "schemathesis"] {
            #expect(bill.components.contains { $0.name == name }, "\(name)")
        }
        #expect(bill.components.first { $0.name == "schemathesis" }?.scope == "excluded")
    }

    @Test func `it says what asks for what, so that everything has a way there from Statex`() throws {
        let bill = try JSONDecoder().decode(Bill.self, from: write())
        let wanted = Dictionary(bill.dependencies.map { ($0.ref, $0.dependsOn) }) { first, second in
            Issue.record("two lists of one: \(first) \(second)")
            return first
        }
        var reached: Set<String> = []
        var left = ["statex"]
        while let reference = left.popLast() {
            if reached.insert(reference).inserted { left += wanted[reference] ?? [] }
        }
        #expect(reached == Set(bill.components.map(\.purl)).union(["statex"]))
        let names = Dictionary(uniqueKeysWithValues: bill.components.map { ($0.purl, $0.name) })
        func asks(_ reference: String) -> Set<String> { Set((wanted[reference] ?? []).compactMap { names[$0] }) }
        func asks(component name: String) -> Set<String> {
            asks(bill.components.first { $0.name == name }?.purl ?? "")
        }
        #expect(asks("statex").isSuperset(of: ["swift", "libzmq5", "hummingbird", "pyzmq"]))
        #expect(asks(component: "hummingbird").isSuperset(of: ["swift-nio", "swift-nio-ssl"]))
        #expect(asks(component: "libzmq5").contains("libsodium23"))
        #expect(asks(component: "schemathesis").contains("hypothesis"))
        #expect(asks(component: "libsodium23") == ["libc6"])
    }

    @Test(arguments: [("swift-nio", [2, 100, 0]), ("swift-nio-http2", [1, 38])])
    func `what faces the network has no version with known holes`(name: String, least: [Int]) throws {
        let bill = try JSONDecoder().decode(Bill.self, from: write())
        let component = try #require(bill.components.first { $0.name == name })
        #expect(!numbers(component.version).lexicographicallyPrecedes(least), "\(name) \(component.version)")
    }
}
