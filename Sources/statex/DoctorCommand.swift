import ArgumentParser
import Foundation
import StatexClient
import StatexConfiguration
import StatexHandlers
import StatexObjects
import StatexProcesses
import StatexS3
import StatexStack
import StatexZeroMQ

struct DoctorCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Look at this machine: what is wrong, and what to do.",
        discussion: "Exits 1 when it finds an error; warnings are none. Changes nothing.")

    @Option(help: "Holds the database, the sockets and the objects.") var dataDir: String?
    @Option(help: "The database to look at.") var database: String?
    @OptionGroup var options: ConfigurationOptions
    @Flag(help: "Print one JSON object.") var json = false

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let findings: [Finding]
        do {
            let loaded = try LoadedConfiguration.load(options.sources(["data_dir": dataDir, "database": database]))
            let others = await examineHandlers(loaded) + examineObjects(loaded.configuration)
            findings = Doctor(loaded, environment: environment, versions: versions(), others: others).examine()
        } catch let error as ConfigurationError {
            findings = error.problems.map { .error("configuration", $0, "correct it; see config/statex.yaml") }
        }
        json ? try printJSON(findings) : printTable(findings)
        if findings.contains(where: { $0.status == .error }) { throw ExitCode(Exit.failed.code) }
    }

    /// Asks each place of objects whether it can be used.
    private func examineObjects(_ configuration: Configuration) -> [Finding] {
        configuration.objectRoots.map { root in
            guard root.hasPrefix("s3://") else { return examineFolder(root) }
            do throws(ObjectError) {
                for place in try Stores.open([root], S3Settings(S3Access(configuration.s3)))?.places ?? [] {
                    try place.check()
                }
                return .ok("objects", "\(root) answers")
            } catch {
                return .error("objects", error.description, "correct objects, s3_endpoint or the credentials")
            }
        }
    }

    private func examineFolder(_ path: String) -> Finding {
        if access(path, F_OK) != 0 { return .ok("objects", "\(path) does not exist yet; who needs it makes it") }
        if access(path, R_OK | W_OK | X_OK) == 0 { return .ok("objects", "\(path) can be used") }
        return .error(
            "objects", "\(path): \(String(cString: strerror(errno)))", "make it ours, or choose another")
    }

    /// Starts each built-in handler as a worker would: programs, libraries, models and their sums are
    /// checked by the one who needs them.
    private func examineHandlers(_ loaded: LoadedConfiguration) async -> [Finding] {
        // Nothing is changed where Statex lives.
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("statex-doctor-\(getpid())").path
        try? FileManager.default.createDirectory(
            atPath: scratch, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o711])
        defer { try? FileManager.default.removeItem(atPath: scratch) }
        let catalog = HandlerCatalog(loaded, slots: 1, objects: nil, scratch: scratch)
        let launcher = catalog.installation.launcher
        // Without it all else would fail too, and the advice be about what is there.
        if let missing = Self.missing(launcher: launcher) { return [missing] }
        let report = probeIsolation(launcher: launcher, scratchRoot: catalog.scratch)
        var findings = [isolation(report, demanded: loaded.configuration.isolation)]
        for kind in BuiltInHandlers.kinds {
            guard let handler = try? catalog.handlers(only: [kind]).first else { continue }
            let started = ContinuousClock.now
            if let reason = await handler.unavailable() {
                findings.append(
                    .warning(
                        "handler \(kind)", reason,
                        "run scripts/setup, or set python and models; without it \(kind) is not offered"))
            } else {
                let took = (ContinuousClock.now - started).formatted(.units(allowed: [.milliseconds]))
                findings.append(.ok("handler \(kind)", "starts in \(took)"))
            }
            await handler.close()
        }
        return findings
    }

    static func missing(launcher: String) -> Finding? {
        guard access(launcher, X_OK) != 0 else { return nil }
        return .error(
            "statex-launch", "\(launcher): \(String(cString: strerror(errno)))",
            "put the statex-launch of the same build beside statex: it starts every handler process")
    }

    private func isolation(_ report: IsolationReport, demanded: Isolation) -> Finding {
        let detail =
            report.level.rawValue
            + (report.missing.isEmpty ? "" : "; missing: \(report.missing.joined(separator: ", "))")
        let remedy = "see docs/handlers.md for what each level needs"
        if report.level.rawValue == Isolation.strict.rawValue { return .ok("isolation", detail) }
        let reached = Isolation(rawValue: report.level.rawValue) ?? .basic
        return reached < demanded ? .error("isolation", detail, remedy) : .warning("isolation", detail, remedy)
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
