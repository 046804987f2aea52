import FoundationEssentials

/// What a scheduler says of itself, as far as commands and the gateway look at it. (Its whole text is
/// `Client.schedulerStatus()`; docs/protocol.md has the members.)
package struct SchedulerStatus: Decodable, Sendable {
    package struct Worker: Decodable, Sendable {
        package struct Kind: Decodable, Sendable { package var kind: String }
        package struct Resource: Decodable, Sendable {
            package var name: String
            package var total: Int
            package var used: Int
        }

        package var name: String
        package var incarnation: String
        package var connected: Bool
        package var draining: Bool
        package var slots: Int
        package var leases: Int
        package var succeeded: Int
        package var failed: Int
        package var labels: [String]
        package var resources: [Resource]
        package var kinds: [Kind]

        package var fullName: String { "\(name)/\(incarnation)" }
        package var state: String { !connected ? "away" : draining ? "draining" : "serving" }
    }
    package struct Queue: Decodable, Sendable {
        package struct Labelled: Decodable, Sendable {
            package var labels: [String]
            package var queued: Int
        }

        package var kind: String
        package var queued: Int
        package var leased: Int
        // Of schedulers that say so.
        package var delayed: Int?
        package var blocked: Int?
        package var backlogSeconds: Double?
        package var oldestSeconds: Double?
        package var runs: Int?
        package var runSeconds: Double?
        package var labelled: [Labelled]?
        package var heldRetries: Int?
        package var circuit: String?
        package var pausedBy: String?
    }
    package struct Pause: Decodable, Sendable {
        package var what: String
        package var by: String
    }
    package struct Journal: Decodable, Sendable {
        package var state: String
        package var reason: String?
        package var commits: Int
        package var commitMs: Double
    }
    package struct Schedule: Decodable, Sendable {
        package var name: String
        package var cron: String
        package var timeZone: String
        package var kind: String
        package var tenant: String
        /// Microseconds since 1970, as every time here.
        package var nextUs: Int64?
        package var lastUs: Int64?
        package var lastJob: String?
        package var lastOpen: Bool?
    }

    package var epoch: Int
    package var uptimeSeconds: Int
    package var openJobs: Int
    package var delayedJobs: Int
    package var clients: Int
    package var journal: Journal
    package var counts: [String: Int]
    package var queues: [Queue]
    package var paused: [Pause]
    package var schedules: [Schedule]
    package var workers: [Worker]

    /// - Returns: nil: it is of a version that is not understood here.
    package init?(json: String) {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        guard let status = try? decoder.decode(Self.self, from: Data(json.utf8)) else { return nil }
        self = status
    }
}
