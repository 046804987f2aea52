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
    @OptionGroup var keys: PeerKeyOptions
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let loaded = try options.load([
            "endpoint:events_endpoint": endpoint, "database": place.database, "data_dir": place.dataDir,
            "peer_key": keys.peerKey, "server_public_key": keys.serverPublicKey,
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
        let time = when.before
        try When.check((time, "--since"))
        return .time(time.microseconds)
    }

    private func list(_ loaded: LoadedConfiguration, from start: EventStart) throws {
        do throws(PostgresError) {
            var history = try EventHistory(url: loaded.journalURL)
            guard let place = try history.place(of: start) else { return }
            var from = place.from
            if let left = place.left { show(.init([.journalChanged(from: left, to: place.incarnation)])) }
            let kept = try history.start()
            if from < kept {
                let gap = EventGap(incarnation: place.incarnation, from: from, to: kept)
                show(.init([.gap(gap)], trouble: "retention took them"))
                from = kept
            }
            while from < place.end {
                let found = try history.events(from: from, to: place.end)
                show(.init(found.events.map { .event($0) }))
                from = found.reached
            }
        } catch {
            throw ending(.unreachable, loaded.unreachable(error))
        }
    }

    private func listen(_ loaded: LoadedConfiguration, from start: EventStart) throws {
        var follower = EventFollower(
            loaded.configuration.eventsEndpoint, keys: loaded.configuration.peerKeys, journal: loaded.journalURL,
            from: start, in: try ZeroMQContext())
        var said: String?
        while true {
            let news = try follower.next(milliseconds: 1_000)
            if let trouble = news.trouble, news.isEmpty, trouble != said { complain("events: \(trouble)") }
            said = news.trouble
            show(news)
        }
    }

    // MARK: Showing

    private func isWanted(_ item: EventNews) -> Bool {
        switch item {
        case .event(let event): kind.map { $0 == event.kind } ?? true && tenant.map { $0 == event.tenant } ?? true
        case .worker: kind == nil && tenant == nil
        case .gap, .journalChanged: true
        }
    }

    private static func line(_ item: EventNews, _ trouble: String?) -> String {
        switch item {
        case .event(let event): event.line
        case .worker(let event): event.line
        case .gap(let gap): gap.line(because: trouble)
        case .journalChanged(let before, _):
            "the journal was restored: events of \(before.hex) that it does not have are void\n"
        }
    }

    private func show(_ news: EventFollower.News) {
        var lines = ""
        for item in news.all where isWanted(item) {
            lines +=
                json
                ? String(decoding: item.json(because: news.trouble), as: UTF8.self) + "\n"
                : Self.line(item, news.trouble)
        }
        guard !lines.isEmpty else { return }
        // At once: whoever reads a pipe wants it now.
        do { try FileHandle.standardOutput.write(contentsOf: Data(lines.utf8)) } catch { Foundation.exit(0) }
    }
}

extension UInt64 {
    fileprivate var hex: String { String(self, radix: 16) }
}

extension JobEvent {
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
    fileprivate var line: String { "\(timeText(at)) \(type.name) \(printable(worker)) \(slots) slots\n" }
}

extension EventGap {
    fileprivate func line(because reason: String?) -> String {
        "events from commit \(from.batch) to \(to.batch) are missing" + (reason.map { ": \($0)" } ?? "") + "\n"
    }
}
