import ArgumentParser
import Foundation
import StatexClient

struct SchedulesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedules", abstract: "List the schedules: when each is due, and what its last job was.",
        discussion: """
            Schedules stand in the configuration (config/statex.yaml). Times are in UTC. Exits 4 when the scheduler \
            was not there.
            """)

    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let client = try await options.connect(options.load(), looksOnly: true)
        let text = try await asClient { () throws(ClientError) in try await client.schedulerStatus() }
        await client.close()
        let schedules = try SchedulerStatus(shown: text).schedules
        print(json ? try Self.encoded(schedules) : Self.table(schedules))
    }

    private static func encoded(_ schedules: [SchedulerStatus.Schedule]) throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(["schedules": schedules.map(\.readable)]), as: UTF8.self)
    }

    private static func table(_ schedules: [SchedulerStatus.Schedule]) -> String {
        guard !schedules.isEmpty else { return "no schedules" }
        let rows =
            [["name", "cron", "time zone", "kind", "next", "last", "last job"]]
            + schedules.map(\.readable).map {
                [
                    printable($0.name), printable($0.cron), $0.timeZone, printable($0.kind), $0.next ?? "never",
                    $0.last ?? "not yet",
                    ($0.lastJob ?? "") + ($0.lastOpen == true ? " (open)" : ""),
                ]
            }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).map { $0.padding(toLength: $1, withPad: " ", startingAt: 0) }.joined(separator: "  ")
                .trimmingCharacters(in: .whitespaces)
        }.joined(separator: "\n")
    }
}

extension SchedulerStatus.Schedule {
    /// With times as people read them, in UTC.
    fileprivate struct Readable: Encodable {
        var name: String
        var cron: String
        var timeZone: String
        var kind: String
        var tenant: String
        var next: String?
        var last: String?
        var lastJob: String?
        var lastOpen: Bool?
    }

    fileprivate var readable: Readable {
        func text(_ microseconds: Int64?) -> String? {
            microseconds.map { Date(timeIntervalSince1970: TimeInterval($0) / 1_000_000).formatted(.iso8601) }
        }
        return Readable(
            name: name, cron: cron, timeZone: timeZone, kind: kind, tenant: tenant, next: text(nextUs),
            last: text(lastUs), lastJob: lastJob, lastOpen: lastOpen)
    }
}
