import ArgumentParser
import Foundation
import StatexClient
import StatexConfiguration
import StatexEvents
import StatexPostgres
import StatexProtocol
import StatexZeroMQ

struct EventsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "events", abstract: "Show what happened to requests, jobs and workers.",
        discussion: """
            Read from the journal, oldest first. With --follow it goes on with what the scheduler publishes, for ever: \
            what was missed on the way is read in the journal, also after a restart of the scheduler, and what cannot \
            be read there any more is told as a gap. Events of workers are not in the journal: they come with --follow \
            alone. A line's sequence says where --since goes on. Exits 4 when the journal was not there.
            """)

    @Flag(help: "Go on with what happens from now on; Ctrl-C ends it.") var follow = false
    @Option(
        help: ArgumentHelp(
            "Events after this one, or since: \(When.format) (default: 5m; with --follow: now).",
            valueName: "sequence or time"))
    var since: String?
    @Option(help: "Events of jobs of this kind, and of requests whose first job is.") var kind: String?
    @Option(help: "Events of this tenant.") var tenant: String?
    @Flag(help: "Print one JSON object a line.") var json = false
    @Option(help: "Where the scheduler publishes (key events_endpoint).") var endpoint: String?
    @OptionGroup var place: JournalPlace
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let loaded = try options.load([
            "endpoint:events_endpoint": endpoint, "database": place.database, "data_dir": place.dataDir,
        ])
        let start = try self.start()
        if follow { try listen(loaded, from: start) } else { try list(loaded, from: start) }
    }

    private func start() throws -> EventStart {
        guard let since else {
            return follow ? .now : .time(Date().addingTimeInterval(-300).microseconds)
        }
        if let sequence = EventSequence(since) { return .after(sequence) }
        guard let when = When(argument: since) else {
            throw ending(.usage, "--since \(printable(since)): it takes the sequence of an event, or \(When.format)")
        }
        return .time(when.before.microseconds)
    }

    private func list(_ loaded: LoadedConfiguration, from start: EventStart) throws {
        do throws(PostgresError) {
            var history = try EventHistory(url: loaded.journalURL)
            guard let place = try history.place(of: start) else { return }
            var from = place.from
            if let left = place.left { show(.init(all: [.journalChanged(from: left, to: place.incarnation)])) }
            let kept = try history.start()
            if from < kept {
                let gap = EventGap(incarnation: place.incarnation, from: from, to: kept)
                show(.init(all: [.gap(gap)], trouble: "retention took them"))
                from = kept
            }
            while from < place.end {
                let found = try history.events(from: from, to: place.end)
                show(.init(all: found.events.map { .event($0) }))
                from = found.reached
            }
        } catch {
            throw ending(.unreachable, loaded.unreachable(error))
        }
    }

    private func listen(_ loaded: LoadedConfiguration, from start: EventStart) throws {
        var follower = EventFollower(
            loaded.configuration.eventsEndpoint, journal: loaded.journalURL, from: start, in: try ZeroMQContext())
        var said: String?
        while true {
            let news = try follower.next(milliseconds: 1_000)
            if let trouble = news.trouble, news.all.isEmpty, trouble != said { complain("events: \(trouble)") }
            said = news.trouble
            show(news)
        }
    }

    // MARK: Showing

    private func show(_ news: EventFollower.News) {
        var lines = ""
        for item in news.all {
            switch item {
            case .event(let event):
                guard kind.map({ $0 == event.kind }) ?? true, tenant.map({ $0 == event.tenant }) ?? true else {
                    continue
                }
                lines += json ? event.json : event.line
            case .worker(let event):
                guard kind == nil, tenant == nil else { continue }
                lines += json ? event.json : event.line
            case .gap(let gap): lines += json ? gap.json(because: news.trouble) : gap.line(because: news.trouble)
            case .journalChanged(let before, let after):
                lines +=
                    json
                    ? Self.changedJSON(before, after)
                    : "the journal was restored: events of \(before.hex) that it does not have are void\n"
            }
        }
        guard !lines.isEmpty else { return }
        // At once: whoever reads a pipe wants it now.
        do { try FileHandle.standardOutput.write(contentsOf: Data(lines.utf8)) } catch { Foundation.exit(0) }
    }

    private static func changedJSON(_ before: UInt64, _ after: UInt64) -> String {
        var json = JSONText()
        json.object {
            $0.member("event", "journal.changed")
            $0.member("from", before.hex)
            $0.member("to", after.hex)
        }
        return String(decoding: json.bytes, as: UTF8.self) + "\n"
    }
}

extension UInt64 {
    fileprivate var hex: String { String(self, radix: 16) }
}

extension JobEvent {
    fileprivate var json: String {
        var json = JSONText()
        json.object {
            $0.member("event", type.name)
            $0.member("id", id.description)
            $0.member("request", request.description)
            if let index { $0.member("index", index) }
            $0.member("kind", kind)
            $0.member("tenant", tenant)
            if let attempt { $0.member("attempt", attempt) }
            if let jobs { $0.member("jobs", jobs) }
            if let worker { $0.member("worker", worker) }
            if let ending { $0.member("ending", ending.name) }
            $0.member("at", timeText(at))
            $0.member("sequence", sequence.description)
        }
        return String(decoding: json.bytes, as: UTF8.self) + "\n"
    }

    fileprivate var line: String {
        let what = [
            timeText(at), type.name, id.description, printable(kind), printable(tenant),
            attempt.map { "attempt \($0)" },
            worker.map { printable($0) },
        ]
        return what.compactMap { $0 }.joined(separator: " ") + "\n"
    }
}

extension WorkerEvent {
    fileprivate var json: String {
        var json = JSONText()
        json.object {
            $0.member("event", type.name)
            $0.member("worker", worker)
            $0.member("slots", slots)
            $0.member("at", timeText(at))
            // The journal does not have it.
            $0.member("fillable", false)
        }
        return String(decoding: json.bytes, as: UTF8.self) + "\n"
    }

    fileprivate var line: String { "\(timeText(at)) \(type.name) \(printable(worker)) \(slots) slots\n" }
}

extension EventGap {
    fileprivate func json(because reason: String?) -> String {
        var json = JSONText()
        json.object {
            $0.member("event", "gap")
            $0.member("from", EventSequence(incarnation: incarnation, batch: from.batch, index: from.index).description)
            $0.member("to", EventSequence(incarnation: incarnation, batch: to.batch, index: to.index).description)
            if let reason { $0.member("reason", reason) }
        }
        return String(decoding: json.bytes, as: UTF8.self) + "\n"
    }

    fileprivate func line(because reason: String?) -> String {
        "events from commit \(from.batch) to \(to.batch) are missing" + (reason.map { ": \($0)" } ?? "") + "\n"
    }
}

/// Microseconds since 1970 as RFC 3339.
private func timeText(_ microseconds: Int64) -> String {
    guard microseconds >= 0 else { return timeText(0) }
    let time = Date(timeIntervalSince1970: Double(microseconds / 1_000_000))
    let fraction = String(microseconds % 1_000_000)
    let digits = String(repeating: "0", count: max(0, 6 - fraction.count)) + fraction
    return "\(time.formatted(.iso8601).dropLast()).\(digits)Z"
}
