import ArgumentParser
import Foundation
import StatexClient
import StatexProtocol

struct WorkersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers", abstract: "List workers: what they hold, serve, and have done.",
        discussion: "Exits 4 when the scheduler was not there.")

    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let client = try await options.connect(options.load(), looksOnly: true)
        let text = try await asClient { () throws(ClientError) in try await client.schedulerStatus() }
        await client.close()
        if json {
            // As the scheduler has them, so that what a newer one adds is there too.
            let status = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            let workers = ["workers": status?["workers"] ?? []]
            let data = try JSONSerialization.data(withJSONObject: workers, options: [.sortedKeys])
            return print(String(decoding: data, as: UTF8.self))
        }
        let status = try SchedulerStatus(shown: text)
        guard !status.workers.isEmpty else { return print("no worker is connected") }
        var table = TextTable(
            "WORKER", "STATE", "SLOTS", "LEASES", "SUCCEEDED", "FAILED", "LABELS", "RESOURCES", "KINDS")
        for worker in status.workers {
            table.add([
                worker.fullName, worker.state, "\(worker.slots)", "\(worker.leases)", "\(worker.succeeded)",
                "\(worker.failed)", worker.labels.joined(separator: " "),
                worker.resources.map { "\($0.name) \($0.used)/\($0.total)" }.joined(separator: " "),
                worker.kinds.map(\.kind).joined(separator: " "),
            ])
        }
        print(table.lines.joined(separator: "\n"))
    }
}

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Take one worker out: it finishes what runs, and ends.",
        discussion: """
            It gets no more jobs, hands back what it has not started, lets what runs finish however long that takes, \
            delivers every outcome, and its process ends with 0. (Under `statex up` another takes its place, so this \
            restarts a worker without losing anything.) Exits 3 when the scheduler refused, 4 when it was not there, \
            5 when it knows no such worker, 7 when --timeout was over before the worker was gone.
            """)

    @Argument(help: "Its name, or name/incarnation as `statex workers` shows it.") var worker: String
    @Flag(help: "Wait until it is gone.") var wait = false
    @OptionGroup var order: OrderOptions
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let client = try await options.connect(options.load())
        var giver = OrderGiver(client, order)
        var filter = OrderFilter()
        filter.worker = worker
        let reply = try await giver.give(.drain, filter)
        if wait && !order.dryRun { try await waitUntilGone(reply.message, client) }
        giver.report(.drain, "worker", message: reply.message)
        await client.close()
    }

    /// Those that the order named, not others that begin under the same name meanwhile.
    private func waitUntilGone(_ names: String, _ client: Client) async throws {
        let deadline = options.timeout.map { ContinuousClock.now + .seconds($0) }
        while true {
            let text = try await asClient { () throws(ClientError) in try await client.schedulerStatus() }
            let left = try SchedulerStatus(shown: text).workers.filter { names.contains($0.fullName) }
            if left.isEmpty { return }
            if let deadline, ContinuousClock.now >= deadline {
                throw ending(
                    .open, "it still runs \(left.reduce(0) { $0 + $1.leases }) jobs (--timeout); it goes on draining")
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}

extension SchedulerStatus {
    /// - Throws: how a command ends that does not understand it.
    init(shown json: String) throws {
        guard let status = SchedulerStatus(json: json) else {
            throw ending(
                .refused, "the scheduler's status is not understood; is it of another version? (statex status)")
        }
        self = status
    }
}
