import Foundation
import StatexMetrics
import StatexProtocol
import StatexTracing
import Testing

/// Dashboard, rules and documentation against the metrics that there are.
@Suite struct DashboardTests {
    private static let root = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized.path

    private func text(_ path: String) throws -> String {
        try String(contentsOfFile: Self.root + "/" + path, encoding: .utf8)
    }

    /// The names that scheduler, worker and gateway write, with their types.
    private static let written: [String: String] = {
        var text = MetricsText()
        var scheduler = SchedulerSnapshot(takenAt: 0, epoch: 1)
        scheduler.add(
            SchedulerSnapshot.Kind(
                name: "text", counts: JobCounts(), open: SchedulerSnapshot.OpenJobs(), backlogSeconds: 0,
                oldestSeconds: 0, heldRetries: 0, isPaused: false, isCircuitOpen: false))
        scheduler.write(to: &text, at: 0)
        WorkerSnapshot(takenAt: 0, slots: 1).write(to: &text, handlerStarts: [], at: 0)
        RequestCounts().write(to: &text)
        GatewaySnapshot(
            streams: 0, uploads: 0, schedulerAnswers: true, journalAnswers: true, desiredWorkers: [("text", 1)]
        ).write(to: &text)
        WebhookSnapshot().write(to: &text)
        SpanQueue().write(to: &text)
        var names: [String: String] = [:]
        for line in String(decoding: text.bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("# TYPE ") {
            let words = line.split(separator: " ").map(String.init)
            names[words[2]] = words[3]
        }
        return names
    }()

    /// Names of ours in a query, a histogram's without what its samples' names end with.
    private func names(in text: String) -> Set<String> {
        Set(
            text.matches(of: /\bstatex_[a-z0-9_]+/).map { match in
                let name = String(match.output)
                for ending in ["_bucket", "_sum", "_count"] where name.hasSuffix(ending) {
                    let family = String(name.dropLast(ending.count))
                    if Self.written[family] == "histogram" { return family }
                }
                return name
            })
    }

    @Test(arguments: ["config/grafana/statex.json", "config/prometheus/statex.rules.yml"])
    func `only names that exist are asked for`(file: String) throws {
        // Jobs of Prometheus, and what every process has, stand beside them.
        let asked = names(in: try text(file))
        #expect(!asked.isEmpty)
        for name in asked { #expect(Self.written[name] != nil, "\(file) asks for \(name)") }
    }

    @Test func `the documentation names every metric, with its type, and no other`() throws {
        let documented = try text("docs/metrics.md").matches(of: /\n\| `([a-z_]+)`[^|]*\| (counter|gauge|histogram) \|/)
        let pairs = documented.map { (String($0.output.1), String($0.output.2)) }
        let ours = pairs.filter { $0.0.hasPrefix("statex_") && $0.0 != "statex_build_info" }
        #expect(Dictionary(ours) { first, _ in first } == Self.written)
        #expect(ours.count == Self.written.count)
    }

    @Test func `names follow the conventions`() {
        for (name, type) in Self.written {
            #expect(name.hasPrefix("statex_"))
            #expect(name.hasSuffix("_total") == (type == "counter"), "\(name) is a \(type)")
            if type == "histogram" { #expect(name.hasSuffix("_seconds")) }
        }
    }

    @Test func `each alert says what to do, and has a test`() throws {
        let rules = try text("config/prometheus/statex.rules.yml").components(separatedBy: "- alert: ").dropFirst()
        let tests = try text("config/prometheus/statex.rules.test.yml")
        #expect(rules.count > 10)
        for rule in rules {
            let name = String(rule.prefix { $0 != "\n" })
            for part in ["severity:", "summary:", "description:", "runbook:"] {
                #expect(rule.contains(part), "\(name) has no \(part)")
            }
            #expect(tests.contains("alertname=\"\(name)\""), "\(name) has no test")
        }
    }
}

/// The tools' own judgement. `scripts/setup --test-data` brings them.
@Suite struct ConfigurationFileTests {
    private static let root = URL(fileURLWithPath: #filePath).appending(path: "../../..").standardized.path

    private func run(_ program: String, _ arguments: [String]) throws -> (code: Int32, said: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let said = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }

    @Test(arguments: [
        ["check", "config", "prometheus.yml"], ["check", "rules", "statex.rules.yml"],
        ["test", "rules", "statex.rules.test.yml"],
    ]) func `promtool takes the rules, and they fire as their tests say`(words: [String]) throws {
        let file = "\(Self.root)/config/prometheus/\(words[2])"
        let (code, said) = try run(Self.root + "/.prometheus/usr/bin/promtool", [words[0], words[1], file])
        #expect(code == 0, "\(said)")
        #expect(said.contains("SUCCESS"))
    }

    @Test(arguments: [
        ("statex-scheduler.service", 20), ("statex-worker@.service", 60), ("statex-gateway.service", 20),
        ("statex-webhooks.service", 20),
    ]) func `systemd takes the units, and finds them closed enough`(unit: String, exposure: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "statex-units-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        // A program that is here: what is installed on a machine is none of the unit's faults.
        let text = try String(contentsOfFile: "\(Self.root)/config/systemd/\(unit)", encoding: .utf8)
        let file = folder.appending(path: unit)
        try text.replacing("/usr/bin/statex ", with: "/bin/true ").write(to: file, atomically: true, encoding: .utf8)
        let verdict = try run("/usr/bin/systemd-analyze", ["verify", "--man=no", file.path])
        // It warns of an unknown key and goes on: silence alone is praise.
        #expect(verdict.code == 0 && verdict.said.isEmpty, "\(verdict.said)")
        let security = try run(
            "/usr/bin/systemd-analyze", ["security", "--offline=true", "--threshold=\(exposure)", file.path])
        #expect(security.code == 0, "\(security.said)")
    }

    @Test func `units start again what may get better by it, and nothing else`() throws {
        for (unit, codes) in [
            ("statex-scheduler.service", "2 75 76"), ("statex-worker@.service", "2"), ("statex-gateway.service", "2"),
            ("statex-webhooks.service", "2"),
        ] {
            let lines = try String(contentsOfFile: "\(Self.root)/config/systemd/\(unit)", encoding: .utf8)
                .split(separator: "\n")
            #expect(lines.contains("Restart=on-failure"))
            #expect(lines.contains("RestartPreventExitStatus=\(codes)"))
            #expect(lines.contains { $0.hasPrefix("MemoryMax=") } && lines.contains { $0.hasPrefix("MemoryHigh=") })
        }
    }
}
