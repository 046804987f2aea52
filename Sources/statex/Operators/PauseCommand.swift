import ArgumentParser
import StatexProtocol

struct PauseCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Let jobs of a kind, of a tenant, or all jobs start no more.",
        discussion: """
            What runs goes on; what a worker holds and has not started is taken back. Submits are taken. It lasts \
            until `statex resume`, also across restarts of the scheduler. Exits 3 when the scheduler refused, 4 when \
            it was not there.
            """)

    @OptionGroup var subject: PauseSubject
    @OptionGroup var order: OrderOptions
    @OptionGroup var options: ClientOptions

    /// (What another program paused under whatever name, `resume` takes back.)
    func validate() throws {
        guard let kind = subject.kind, !KindName.isValid(kind) else { return }
        throw ValidationError("--kind \(printable(kind)): a kind is \(KindName.rule)")
    }

    func run() async throws { try await subject.order(.pause, order, options) }
}

struct ResumeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Take a pause back.",
        discussion: """
            The three kinds of pauses are separate: --all takes back what --all paused, and says what else is \
            paused. Exits 3 when the scheduler refused, 4 when it was not there.
            """)

    @OptionGroup var subject: PauseSubject
    @OptionGroup var order: OrderOptions
    @OptionGroup var options: ClientOptions

    func run() async throws { try await subject.order(.resume, order, options) }
}

/// What a pause holds back.
struct PauseSubject: ParsableArguments {
    @Option(help: "Jobs of this kind.") var kind: String?
    @Option(help: "Jobs of this tenant.") var tenant: String?
    @Flag(help: "All jobs.") var all = false

    func validate() throws {
        guard [kind != nil, tenant != nil, all].count(where: { $0 }) == 1 else {
            throw ValidationError("give one of --kind, --tenant, --all")
        }
        for (name, option) in [(kind, "--kind"), (tenant, "--tenant")] {
            guard let name, !(1...Limits.nameBytes).contains(name.utf8.count) else { continue }
            throw ValidationError("\(option) has \(name.utf8.count) bytes, it takes 1 to \(Limits.nameBytes)")
        }
    }

    func order(_ action: OrderAction, _ order: OrderOptions, _ options: ClientOptions) async throws {
        var filter = OrderFilter()
        filter.kind = kind
        filter.tenant = tenant
        filter.everything = all
        let client = try await options.connect(options.load())
        var giver = OrderGiver(client, order)
        let reply = try await giver.give(action, filter)
        giver.report(action, "waiting job", message: reply.message)
        await client.close()
    }
}
