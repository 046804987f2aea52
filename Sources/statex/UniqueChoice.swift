import ArgumentParser
import StatexClient

/// Whether a request of `submit` may stand beside others. The client checks the limits.
struct UniqueChoice: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Not while another request of this key, kind and tenant is unfinished: then that one is shown.",
            valueName: "key"))
    var unique: String?
    @Option(help: ArgumentHelp("With --unique: once in this time instead: 90s, 15m, 2h, 1d.", valueName: "time"))
    var uniqueFor: Span?

    func validate() throws {
        guard uniqueFor == nil || unique != nil else { throw ValidationError("--unique-for needs --unique") }
    }

    var uniqueness: Uniqueness? {
        guard let unique else { return nil }
        return uniqueFor.map { .once(in: $0.duration, unique) } ?? .whileUnfinished(unique)
    }
}
