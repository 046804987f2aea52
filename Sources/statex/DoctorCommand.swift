import ArgumentParser
import Foundation
import StatexConfiguration
import StatexStack
import StatexZeroMQ

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at this machine: what is wrong, and what to do.",
        discussion: "Exits 1 when something is an error. Changes nothing.")

    @Option(help: "Holds the database, the sockets and the objects.") var dataDir: String?
    @Option(help: "The database to look at.") var database: String?
    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        let environment = ProcessInfo.processInfo.environment
        let findings: [Finding]
        do {
            let loaded = try options.load(["data_dir": dataDir, "database": database])
            findings = Doctor(loaded, environment: environment, versions: versions()).examine()
        } catch let error as ConfigurationError {
            findings = error.problems.map { .error("configuration", $0, "correct it; see config/statex.yaml") }
        }
        json ? try printJSON(findings) : printTable(findings)
        if findings.contains(where: { $0.status == .error }) { throw ExitCode(1) }
    }

    private func printTable(_ findings: [Finding]) {
        let width = findings.map(\.name.count).max() ?? 0
        for finding in findings {
            let name = finding.name.padding(toLength: width, withPad: " ", startingAt: 0)
            print(
                "\(finding.status.rawValue.padding(toLength: 7, withPad: " ", startingAt: 0))  \(name)  \(finding.detail)"
            )
            if let remedy = finding.remedy { print("\(String(repeating: " ", count: width + 11))→ \(remedy)") }
        }
    }

    private func printJSON(_ findings: [Finding]) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(["findings": findings]), as: UTF8.self))
    }
}

/// Of this program and of the libraries that it runs with.
private func versions() -> [(name: String, version: String)] {
    [("statex", Statex.configuration.version), ("libzmq", zeroMQVersion())]
}
