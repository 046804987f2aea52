import ArgumentParser
import StatexClient
import StatexProtocol

/// What `submit` may ask for each of its jobs. The client checks the limits.
struct JobChoices: ParsableArguments {
    @Option(help: "A word to find the jobs by; repeatable, up to 8.") var tag: [String] = []
    @Option(help: "A label that their worker must have; repeatable, up to 8.") var label: [String] = []
    @Option(help: "What they are best run with, such as a model's name: a worker that ran it lately is preferred.")
    var affinity: String?
    @Option(help: ArgumentHelp("Start after that time: 90s, 15m, 2h, 1d.", valueName: "time")) var delay: Span?
    @Option(help: ArgumentHelp("Start at that time: 2026-11-26T01:00:00Z.", valueName: "time")) var at: When?
    @Option(help: ArgumentHelp("Expire if not final by then: \(When.format).", valueName: "time")) var deadline: When?
    @Option(help: ArgumentHelp("Stop an attempt that runs longer: 500ms, 90s, 15m.", valueName: "time"))
    var runLimit: Span?
    @Option(help: "The trace that the jobs belong to, as the header of that name has it (W3C Trace Context).")
    var traceparent: String?
    @Option(parsing: .unconditional, help: "0 (first) to 9 (last); usual: 5.") var priority: Int?
    @Option(
        parsing: .unconditional,
        help: "How often a job may fail before it is dead, 1 to 100 (default: as configured for its kind).")
    var attempts: Int?

    func validate() throws {
        guard delay == nil || at == nil else { throw ValidationError("give --delay or --at, not both") }
        try When.check((at?.after, "--at"), (deadline?.after, "--deadline"))
        if let traceparent, TraceContext(traceparent) == nil {
            throw ValidationError("--traceparent takes \(TraceContext.rule)")
        }
        if let priority, !(0..<Limits.priorities).contains(priority) {
            throw ValidationError("--priority \(priority): it takes 0 (first) to \(Limits.priorities - 1)")
        }
        if let attempts, !(1...Limits.attempts).contains(attempts) {
            throw ValidationError("--attempts \(attempts): it takes 1 to \(Limits.attempts)")
        }
    }

    func apply(to job: inout JobSpec) {
        job.tags = tag
        job.labels = label
        job.affinity = affinity
        job.startAt = at?.after
        if let delay { job.start(after: delay.duration) }
        job.deadline = deadline?.after
        job.runLimit = runLimit?.duration
        job.priority = priority ?? Limits.defaultPriority
        job.attempts = attempts
        job.traceparent = traceparent.flatMap { TraceContext($0) }
    }
}
