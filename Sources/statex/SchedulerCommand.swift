import ArgumentParser
import CLinux
import Glibc
import StatexBroker
import StatexHandOff
import StatexJournal
import StatexProtocol
import StatexSchedulerCore
import StatexStack
import StatexThreads
import StatexZeroMQ

struct SchedulerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "scheduler",
        abstract: "Run the scheduler alone: it owns the journal and serves clients and workers.",
        discussion: """
            Exit codes: 0 stopped in order; 75 another scheduler took over; 76 another scheduler owns the journal;
            1 anything else. A supervisor starts it again after 1, not after 75 or 76.
            """)

    @Option(help: "The Postgres of the journal, as a libpq URL.") var database: String
    @Option(help: "Where clients connect, for instance ipc:///run/statex/submit.sock.") var submitEndpoint: String
    @Option(help: "Where workers connect.") var workerEndpoint: String
    @Flag(help: "Take the journal from an owner that is still connected.") var takeOver = false
    @Option(help: "A lease ends this many seconds after the worker's last sign of life.") var leaseSeconds = 10

    func run() throws {
        let stop = try Wakeup()
        Signals.onStop { stop.signal() }
        var owner = JournalSettings(url: database, owner: Owner(number: .random(in: 1...UInt64.max), name: ownerName()))
        owner.takesOver = takeOver
        do {
            try serve(owner, stop: stop)
        } catch let error as JournalOpenError {
            complain(error.description)
            if case .held = error { throw ExitCode(76) }
            throw ExitCode.failure
        }
    }

    private func serve(_ journal: JournalSettings, stop: Wakeup) throws {
        let opened = try open(journal)
        let durability = opened.durability
        var settings = CoreSettings()
        settings.leaseNanoseconds = Int64(leaseSeconds) * 1_000_000_000
        var core = SchedulerCore(settings, head: opened.head, seed: .random(in: 0...UInt64.max))
        try recover(&core)
        let handOff = try HandOff()
        let moved = Moved(Committer(opened, settings: journal, handOff: handOff))
        let committing = NamedThread("journal") {
            if var committer = moved.take() { committer.run() }
        }
        let url = database
        let reading = NamedThread("reader") {
            var reader = Reader(url: url, handOff: handOff)
            reader.run()
        }
        let context = try ZeroMQContext()
        var brokerSettings = BrokerSettings(submitEndpoint: submitEndpoint, workerEndpoint: workerEndpoint)
        brokerSettings.statusMembers = statusMembers(durability)
        var broker = try Broker(brokerSettings, core: core, handOff: handOff, context: context)
        announceReady()
        let stepDown = try broker.run(stop: stop)
        handOff.commits.put(.stop)
        handOff.reads.put(.stop)
        committing.join()
        reading.join()
        if let stepDown { try leave(stepDown) }
    }

    /// Postgres may still be starting; a minute of patience, and a word about it.
    private func open(_ journal: JournalSettings) throws -> OpenedJournal {
        let until = clinux_monotonic_nanoseconds() + 60_000_000_000
        var hasComplained = false
        while true {
            do throws(JournalOpenError) {
                return try journal.open()
            } catch {
                guard error.isWorthWaiting, clinux_monotonic_nanoseconds() < until else { throw error }
                if !hasComplained { complain("waiting for Postgres: \(error)") }
                hasComplained = true
                usleep(50_000)
            }
        }
    }

    private func recover(_ core: inout SchedulerCore) throws {
        let started = clinux_monotonic_nanoseconds()
        let state = try Recovery(url: database).run()
        let now = Now(monotonic: clinux_monotonic_nanoseconds(), wall: clinux_wall_microseconds())
        for name in state.names { core.recoveredName(name.family, name.name, number: name.number) }
        core.recovered(state.jobs, workerNames: state.workerNames, at: now)
        guard !state.jobs.isEmpty else { return }
        let milliseconds = (clinux_monotonic_nanoseconds() - started) / 1_000_000
        complain("recovered \(state.jobs.count) open jobs in \(milliseconds) ms")
    }

    private func leave(_ reason: StepDown) throws {
        switch reason {
        case .fenced(let by):
            complain("another scheduler took over (\(by)); this one stops")
            throw ExitCode(75)
        case .wentBackwards(let from, let to):
            complain(
                "the journal went backwards: commit \(from) was acknowledged, its chain now ends at \(to); "
                    + "jobs acknowledged since are missing. After a restore, run `statex journal adopt`.")
            throw ExitCode(75)
        case .broken(let why):
            complain("the journal cannot go on: \(why)")
            throw ExitCode.failure
        }
    }

    private func ownerName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        return
            "\(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)) pid \(getpid())"
    }

    private func statusMembers(_ durability: Durability) -> String {
        """
        "durability":{"fsync":\(durability.fsync),"synchronous_commit":"\(durability.synchronousCommit)",\
        "full_page_writes":\(durability.fullPageWrites),"data_checksums":\(durability.dataChecksums),\
        "postgres":"\(durability.serverVersion.filter { $0 != "\"" && $0 != "\\" })"}
        """
    }
}
