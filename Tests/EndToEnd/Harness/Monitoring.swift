import Foundation
import FoundationNetworking
import Glibc

@testable import StatexStack

/// What is asked over HTTP of processes on this machine.
enum HTTP {
    static func get(_ url: String) async throws -> (status: Int, body: String) {
        guard let url = URL(string: url) else { throw HarnessError("no URL: \(url)") }
        let (data, response) = try await URLSession.shared.data(from: url)
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, String(decoding: data, as: UTF8.self))
    }
}

/// Debian's Prometheus, where `scripts/setup` unpacks it, and what it reads.
enum Monitoring {
    static let root = URL(fileURLWithPath: #filePath).appending(path: "../../../..").standardized.path
    static let prometheus = root + "/.prometheus/usr/bin/prometheus"
    static let promtool = root + "/.prometheus/usr/bin/promtool"

    /// A port that nobody listens on; somebody might before it is used, which the test would notice.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
            }
        }
        guard result == 0 else { throw HarnessError("no free port") }
        return Int(UInt16(bigEndian: place.sin_port))
    }

    /// Each query of the Grafana dashboard, with its variables filled in.
    static func dashboardQueries() throws -> [String] {
        struct Dashboard: Decodable {
            struct Panel: Decodable { var targets: [Target]? }
            struct Target: Decodable { var expr: String }
            var panels: [Panel]
        }
        let data = try Data(contentsOf: URL(fileURLWithPath: root + "/config/grafana/statex.json"))
        return try JSONDecoder().decode(Dashboard.self, from: data).panels.flatMap { $0.targets ?? [] }.map {
            $0.expr.replacing("$__rate_interval", with: "10s").replacing("$kind", with: ".*")
        }
    }
}

extension TestStack {
    /// A Prometheus that scrapes these processes each second, under the names of jobs in config/prometheus.
    func startPrometheus(
        _ targets: [(job: String, address: String, token: String?)]
    ) throws -> (process: RunningProcess, url: String) {
        let port = try Monitoring.freePort()
        let jobs = targets.map { job, address, token in
            let authorization = token.map { ", authorization: {credentials: \($0)}" } ?? ""
            return "  - {job_name: \(job), static_configs: [{targets: ['\(address)']}]\(authorization)}"
        }
        try """
        global: {scrape_interval: 1s, evaluation_interval: 1s}
        rule_files: [\(Monitoring.root)/config/prometheus/statex.rules.yml]
        scrape_configs:
        \(jobs.joined(separator: "\n"))
        """.write(toFile: directory + "/prometheus.yml", atomically: false, encoding: .utf8)
        let process = try start(
            "prometheus", Monitoring.prometheus,
            [
                "--config.file=\(directory)/prometheus.yml", "--storage.tsdb.path=\(directory)/prometheus",
                "--web.listen-address=127.0.0.1:\(port)",
            ], announces: false)
        return (process, "http://127.0.0.1:\(port)")
    }

    /// What promtool says of a page of metrics; empty: nothing.
    func checkMetrics(_ page: String) throws -> String {
        let file = directory + "/metrics.txt"
        try page.write(toFile: file, atomically: false, encoding: .utf8)
        let log = directory + "/promtool.log"
        var command = Command(
            "/bin/sh", ["-c", #""$0" check metrics <"$1""#, Monitoring.promtool, file], environment: [:])
        command.log = log
        let end = try ChildProcess.run(command, limit: .seconds(60))
        let said = ProcessTable.text(log)
        return end == .exited(0) ? said : "\(end): \(said)"
    }
}
