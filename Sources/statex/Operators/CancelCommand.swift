import ArgumentParser
import StatexProtocol

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel requests, jobs, or all open jobs that fit a filter.",
        discussion: """
            An id of a request means all of its jobs. Queued jobs end at once and never start. Running ones are told; \
            a handler process that goes on is killed 2 s later with all that it started. \
            A job that succeeds before it is reached keeps its result. Exits 3 when the scheduler refused, 4 when it \
            was not there.
            """)

    @Argument(help: ArgumentHelp("Requests or jobs.", valueName: "id")) var ids: [String] = []
    @Flag(help: "Of an id that is a request's too, only its first job.") var onlyJob = false
    @Option(help: "Jobs of this kind.") var kind: String?
    @Option(help: "Jobs of this tenant.") var tenant: String?
    @Option(help: "Jobs that have this tag; repeatable: all of them.") var tag: [String] = []
    @Option(help: "Jobs in this state: delayed, queued, or leased, which is what workers hold.") var state: String?
    @Option(help: "Jobs that this worker holds, by its name or name/incarnation.") var worker: String?
    @Flag(help: "All open jobs.") var all = false
    @OptionGroup var order: OrderOptions
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let filter = try self.filter()
        guard filter != OrderFilter() else {
            throw ending(.usage, "nothing to cancel: give ids, a filter, or --all")
        }
        let client = try await options.connect(options.load())
        var giver = OrderGiver(client, order)
        let ids = try jobIDs(self.ids)
        if ids.isEmpty {
            try await giver.giveAll(.cancel, filter)
        } else {
            for start in stride(from: 0, to: ids.count, by: Limits.idsInOrder) {
                var part = filter
                part.jobs = Array(ids[start...].prefix(Limits.idsInOrder))
                part.requests = onlyJob ? [] : part.jobs
                try await giver.giveAll(.cancel, part)
            }
        }
        giver.report(.cancel, "job")
        await client.close()
    }

    private func filter() throws -> OrderFilter {
        var filter = OrderFilter()
        filter.jobs = try jobIDs(ids)
        filter.kind = kind
        filter.tenant = tenant
        filter.tags = tag
        filter.worker = worker
        filter.everything = all
        guard let state else { return filter }
        filter.state = JobState.allCases.first { $0.name == state && !$0.isFinal }
        guard filter.state != nil else {
            throw ending(.usage, "--state \(printable(state)): it takes blocked, delayed, queued, leased or running")
        }
        return filter
    }
}
