import ArgumentParser
import StatexStack

/// How a command may end, for scripts and supervisors. `statex --help` prints them from here, docs/operations.md
/// explains them.
struct Exit {
    let code: Int32
    let meaning: String

    static let failed = Exit(1, "it ended badly: a job, a check or a process failed")
    static let usage = Exit(2, "wrong arguments, configuration or input; nothing was done")
    static let refused = Exit(3, "the scheduler refused it, or was busy for too long")
    static let unreachable = Exit(4, "the scheduler, the database or an object store was not there")
    static let unknown = Exit(5, "no request, job or worker of that name is known")
    static let conflict = Exit(6, "the --key was used before, with another content")
    static let open = Exit(7, "--timeout was over before all jobs were final; they go on")
    static let fenced = Exit(SchedulerExit.fenced, "another scheduler took the journal over, or it went backwards")
    static let owned = Exit(SchedulerExit.owned, "another scheduler owns the journal")

    static let all = [failed, usage, refused, unreachable, unknown, conflict, open, fenced, owned]

    private init(_ code: Int32, _ meaning: String) {
        self.code = code
        self.meaning = meaning
    }

    /// The lines of `statex --help`.
    static var table: String {
        (["  0   it did what it was asked to"]
            + all.map { "  \($0.code)\($0.code < 10 ? " " : "")  \($0.meaning)" }).joined(separator: "\n")
    }
}

/// Says why on stderr.
func ending(_ exit: Exit, _ message: String) -> ExitCode {
    ending(exit.code, message)
}

/// What was wrong when it was started is said to the person who did; the rest is an event of its log.
func ending(_ code: Int32, _ message: String) -> ExitCode {
    if code == Exit.usage.code { speak(message) } else { complain(message, .error) }
    return ExitCode(code)
}
