import ArgumentParser
import StatexProtocol
import StatexReads

/// Which dead letters a command means.
struct LetterOptions: ParsableArguments {
    @Option(help: "Of this kind.") var kind: String?
    @Option(help: "Of this tenant.") var tenant: String?
    @Option(help: "That have this tag; repeatable: all of them.") var tag: [String] = []
    @Option(help: ArgumentHelp("Whose error is of this class.", valueName: "class")) var error: String?
    @Option(help: ArgumentHelp("Ended after: \(When.format).", valueName: "time")) var since: When?
    @Option(help: ArgumentHelp("Ended before.", valueName: "time")) var until: When?

    func validate() throws { try When.check((since?.before, "--since"), (until?.before, "--until")) }

    var filter: LetterFilter {
        var filter = LetterFilter()
        filter.kind = kind
        filter.tenant = tenant
        filter.tags = tag
        filter.errorClass = error
        filter.since = since?.before.microseconds
        filter.until = until?.before.microseconds
        return filter
    }
}
