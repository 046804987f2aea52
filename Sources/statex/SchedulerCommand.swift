import ArgumentParser
import CLinux
import Glibc
import StatexBroker
import StatexConfiguration
import StatexHandOff
import StatexJournal
import StatexKeys
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
            SIGTERM stops it in order. It ends with 75 when another scheduler took over, with 76 when another one \
            owns the journal: a supervisor starts it again after 1, not after these.
            """)

    @Option(help: "The Postgres of the journal, as a libpq URL.") var database: String?
    @Option(help: "Where clients connect, for instance ipc:///run/statex/submit.sock.") var submitEndpoint: String?
    @Option(help: "Where workers connect.") var workerEndpoint: String?
    @Option(help: "Where it publishes events.") var eventsEndpoint: String?
    @Option(help: "A lease ends this long after the worker's last sign of life.") var leaseSeconds: String?
    @Option(help: "How it writes its log: text or json.") var logFormat: String?
    @Flag(help: "Take the journal from an owner that is still connected.") var takeOver = false
    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        let sources = try options.sources([
            "database": database, "submit_endpoint": submitEndpoint, "worker_endpoint": workerEndpoint,
            "events_endpoint": eventsEndpoint, "lease_seconds": leaseSeconds, "log_format": logFormat,
        ])
        let loaded: LoadedConfiguration
        do throws(ConfigurationError) {
            loaded = try .load(sources)
        } catch {
            throw ending(.usage, error.description)
        }
        let configuration = loaded.configuration
        Diagnostics.begin("scheduler", configuration)
        guard let url = configuration.database else {
            throw ending(.usage, "database: a scheduler needs one; give --database or STATEX_DATABASE")
        }
        for (key, endpoint) in [
            ("submit_endpoint", configuration.submitEndpoint), ("worker_endpoint", configuration.workerEndpoint),
            ("events_endpoint", configuration.eventsEndpoint),
        ] {
            do throws(BindError) {
                try checkBind(endpoint: endpoint, hasKeys: configuration.serverKey != nil)
            } catch {
                throw ending(.usage, "\(key): \(error)")
            }
        }
        raiseFileLimit()
        let stop = try Wakeup()
        let handOff = try HandOff()
        let keys: KeyReload?
        do throws(KeyError) { keys = try KeyReload(configuration, handOff: handOff) } catch {
            throw ending(.usage, "server_key, allowed_keys: \(error)")
        }
        let reconfiguration = Reconfiguration(sources, current: loaded, keys: keys, handOff: handOff)
        Signals.onStop({ stop.signal() }, hangUp: { reconfiguration.readAgain() })
        let probes = configuration.schedulerProbes.map(SchedulerProbes.init)
        var journal = JournalSettings(url: url, owner: Owner(number: .random(in: 1...UInt64.max), name: ownerName()))
        journal.takesOver = takeOver
        do {
            try serve(journal, configuration, handOff, keys?.keyring, probes, stop: stop)
        } catch let error as JournalOpenError {
            if case .held = error { throw ending(.owned, error.description) }
            throw ending(.failed, error.description)
        }
    }

    /// Each connection is an open file.
    private func raiseFileLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private func serve(
        _ journal: JournalSettings, _ configuration: Configuration, _ handOff: HandOff, _ keyring: Keyring?,
        _ probes: SchedulerProbes?, stop: Wakeup
    ) throws {
        let opened = try open(journal)
        let durability = opened.durability
        let epoch = opened.head.epoch
        var core = SchedulerCore(coreSettings(configuration), head: opened.head, seed: .random(in: 0...UInt64.max))
        try recover(&core, url: journal.url)
        let moved = Moved(Committer(opened, settings: journal, handOff: handOff) { complain($0) })
        NamedThread("journal") {
            if var committer = moved.take() { committer.run() }
        }.detach()
        let (url, keyDays) = (journal.url, configuration.idempotencyDays)
        NamedThread("reader") {
            var reader = Reader(url: url, keyDays: keyDays, epoch: epoch, handOff: handOff) { complain($0, .error) }
            reader.run()
        }.detach()
        if keyring != nil { TenantDesk(url: url, handOff: handOff).begin() }
        let retentionDays = configuration.retentionDays
        let sweep = DailySweep(url: url, configuration)
        NamedThread("retention") {
            var sweep = sweep
            Retention.keepUp(url: url, days: retentionDays, say: { complain("retention: \($0)") }) { sweep.run() }
        }.detach()
        let context = try ZeroMQContext()
        var settings = BrokerSettings(
            submitEndpoint: configuration.submitEndpoint, workerEndpoint: configuration.workerEndpoint,
            eventsEndpoint: configuration.eventsEndpoint)
        settings.keyring = keyring
        settings.memoryLimit = configuration.maximumMemory
        settings.say = { complain($0) }
        settings.payloadCacheBytes = configuration.payloadCache
        settings.statusMembers = statusMembers(durability, configuration)
        settings.figures = probes?.figures
        var broker = try Broker(settings, core: core, handOff: handOff, context: context)
        announceReady(probes?.address.map { [$0] } ?? [])
        let stepDown = try broker.run(stop: stop)
        // The threads are left to the end of the process: they may be waiting for Postgres.
        if let stepDown { throw leave(stepDown) }
    }

    private func coreSettings(_ configuration: Configuration) -> CoreSettings {
        var settings = CoreSettings()
        settings.leaseNanoseconds = configuration.leaseTime.nanoseconds
        settings.heartbeatNanoseconds = configuration.heartbeatInterval.nanoseconds
        settings.graceNanoseconds = configuration.disconnectGrace.nanoseconds
        settings.stealing = configuration.stealing
        settings.affinityWaitNanoseconds = configuration.affinityWait.nanoseconds
        settings.policies = Policies(configuration)
        return settings
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

    private func recover(_ core: inout SchedulerCore, url: String) throws {
        let started = clinux_monotonic_nanoseconds()
        let state = try Recovery(url: url).run()
        let now = Now(monotonic: clinux_monotonic_nanoseconds(), wall: clinux_wall_microseconds())
        core.recovered(state.pauses, drained: state.drained)
        for name in state.names { core.recoveredName(name.family, name.name, number: name.number, at: now) }
        for schedule in state.schedules { core.recoveredSchedule(schedule.name, schedule.progress) }
        core.recovered(state.jobs, workerNames: state.workerNames, at: now)
        core.recoveredFinishedPages(state.finishedPages)
        guard !state.jobs.isEmpty else { return }
        let milliseconds = (clinux_monotonic_nanoseconds() - started) / 1_000_000
        complain("recovered \(state.jobs.count) open jobs in \(milliseconds) ms", .info)
    }

    private func leave(_ reason: StepDown) -> ExitCode {
        switch reason {
        case .fenced(let by): ending(.fenced, "another scheduler took over (\(by)); this one stops")
        case .wentBackwards(let lost):
            ending(
                .fenced,
                "the journal went backwards: \(lost); run `statex journal adopt` before a scheduler starts again")
        case .broken(let why): ending(.failed, "the journal cannot go on: \(why)")
        }
    }

    private func ownerName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, 255)
        return
            "\(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)) pid \(getpid())"
    }

    /// What status says of the surroundings: members of its JSON object.
    private func statusMembers(_ durability: Durability, _ configuration: Configuration) -> String {
        var text = JSONText()
        text.object {
            $0.object("durability") {
                $0.member("fsync", durability.fsync)
                $0.member("synchronous_commit", durability.synchronousCommit)
                $0.member("full_page_writes", durability.fullPageWrites)
                $0.member("data_checksums", durability.dataChecksums)
                $0.member("postgres", durability.serverVersion)
            }
            $0.strings("objects", configuration.objectRoots)
        }
        return String(decoding: text.bytes.dropFirst().dropLast(), as: UTF8.self)
    }
}
