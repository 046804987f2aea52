import ArgumentParser
import Foundation
import StatexClient
import StatexProtocol

struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top", abstract: "Watch queues, workers and rates; Ctrl-C ends it.",
        discussion: """
            On a terminal one screen that is drawn anew each time; elsewhere one screen after the other. With --json \
            one line an interval: the time, the rates since the line before, and the scheduler's status. Exits 4 when \
            the scheduler was not there.
            """)

    @Option(help: ArgumentHelp("Time between two looks.", valueName: "time")) var interval = Span(seconds: 2)
    @Option(help: ArgumentHelp("Looks, then it ends (default: for ever).", valueName: "n")) var count: Int?
    @Flag(help: "Print one JSON line an interval.") var json = false
    @OptionGroup var options: ClientOptions

    func validate() throws {
        guard interval.duration >= .milliseconds(100), interval.duration <= .seconds(3_600) else {
            throw ValidationError("--interval takes 100ms to 1h")
        }
        guard count ?? 1 >= 1 else { throw ValidationError("--count takes 1 or more") }
    }

    func run() async throws {
        let client = try await options.connect(options.load(), looksOnly: true)
        var last: (status: SchedulerStatus, at: ContinuousClock.Instant)?
        var looks = 0
        while true {
            let text = try await asClient { () throws(ClientError) in try await client.schedulerStatus() }
            let status = try SchedulerStatus(shown: text)
            let now = ContinuousClock.now
            let rates = Rates(from: last?.status, to: status, in: last.map { now - $0.at } ?? .zero)
            show(status, rates, text)
            last = (status, now)
            looks += 1
            if looks == count { break }
            try await Task.sleep(for: interval.duration)
        }
        await client.close()
    }

    private func show(_ status: SchedulerStatus, _ rates: Rates, _ text: String) {
        guard !json else {
            var line = JSONText()
            line.object {
                $0.member("at", Date().formatted(.iso8601))
                $0.object("per_second") { object in
                    for (name, rate) in rates.values { object.member(name, rate) }
                }
                $0.raw("\"status\":\(text)")
            }
            return write(String(decoding: line.bytes, as: UTF8.self) + "\n")
        }
        let screen = lines(status, rates).joined(separator: "\n")
        // Home, the text, and whatever stood below it goes.
        write(isatty(STDOUT_FILENO) == 1 ? "\u{1B}[H\u{1B}[2J\(screen)\n" : screen + "\n\n")
    }

    /// At once, and not when a buffer is full.
    private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    private func lines(_ status: SchedulerStatus, _ rates: Rates) -> [String] {
        let words = rates.values.map { "\($0.name) \(String(format: "%.1f", $0.rate))" }
        var lines = [
            "statex  epoch \(status.epoch)  up \(status.uptimeSeconds) s  open \(status.openJobs)  "
                + "delayed \(status.delayedJobs)  clients \(status.clients)",
            "journal \(status.journal.state)\(status.journal.reason.map { " (\(printable($0)))" } ?? "")  "
                + "commit \(String(format: "%.2f", status.journal.commitMs)) ms",
            "a second: " + words.joined(separator: "  "),
        ]
        for pause in status.paused { lines.append("paused: \(printable(pause.what)), by \(printable(pause.by))") }
        var queues = TextTable("KIND", "QUEUED", "LEASED", "")
        for queue in status.queues.sorted(by: { ($1.queued + $1.leased, $0.kind) < ($0.queued + $0.leased, $1.kind) }) {
            queues.add([queue.kind, "\(queue.queued)", "\(queue.leased)", queue.pausedBy.map { "paused by \($0)" }])
        }
        var workers = TextTable("WORKER", "STATE", "LEASES", "SLOTS", "SUCCEEDED", "FAILED")
        for worker in status.workers {
            workers.add([
                worker.name, worker.state, "\(worker.leases)", "\(worker.slots)", "\(worker.succeeded)",
                "\(worker.failed)",
            ])
        }
        for table in [queues, workers] where !table.isEmpty { lines += [""] + table.lines }
        return lines
    }
}

/// What was counted a second between two looks; nothing at the first.
private struct Rates {
    let values: [(name: String, rate: Double)]

    init(from old: SchedulerStatus?, to new: SchedulerStatus, in time: Duration) {
        values = ["submitted", "leased", "succeeded", "failed", "dead", "retried", "lost"].map { name in
            let before = old?.counts[name] ?? new.counts[name] ?? 0
            let seconds = time.inSeconds
            // A scheduler that was started again counts from 0.
            return (name, seconds > 0 ? Double(max((new.counts[name] ?? 0) - before, 0)) / seconds : 0)
        }
    }
}
