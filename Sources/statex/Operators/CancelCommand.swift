import ArgumentParser
import StatexProtocol

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel requests, jobs, or all open jobs that fit a filter.",
        discussion: """
            An id of a request means all of its jobs. Queued jobs end at once and never start. Running ones are told; \
            a handler process that goes on is killed 2 s later with all that it started. \
            A job that succeeds before it is reached keeps its result. Exits 3 when the scheduler refused, 4 when it \
            was not there, 5 when no job of the ids was open.
            """)

    @Argument(help: ArgumentHelp("Requests or jobs.", valueName: "id")) var ids: [String] = []
    @Flag(help: "Of an id that is a request's too, only its first job.") var onlyJob = false
    @Option(help: "Jobs of this kind.") var kind: String?
    @Option(help: "Jobs of this tenant.") var tenant: String?
    @Option(help: "Jobs that have this tag; repeatable: all of them.") var tag: [String] = []
    @Option(help: "Jobs in this state: \(openStates); leased and running are both what workers hold.") var state:
        String?
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
        await client.close()
        giver.report(.cancel, "job")
        if !ids.isEmpty, giver.reached == 0 {
            throw ending(.unknown, "no open job of these ids: they ended, are ending, or were never submitted")
        }
    }

    private static let openStates = JobState.allCases.filter { !$0.isFinal }.map(\.name).joined(separator: ", ")

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
            throw ending(.usage, "--state \(printable(state)): it takes \(Self.openStates)")
        }
        return filter
    }
}
