import ArgumentParser
import StatexClient

/// What runs after the jobs of a request, on their results: options of `submit`.
struct LaterJobs: ParsableArguments {
    @Option(
        name: .customLong("then"),
        help: "A kind that runs on the results of all jobs before it; repeatable: each on the result of the last.")
    var kinds: [String] = []
    @Option(name: .customLong("with"), help: "The payload of a --then; for all of them or for none.")
    var payloads: [String] = []
    @Flag(
        name: .customLong("fail-dependants"),
        help: "When a job does not succeed, those after it fail; else they are cancelled.")
    var failsDependants = false

    func check() throws {
        guard payloads.isEmpty || payloads.count == kinds.count else {
            throw ending(
                .usage,
                "\(kinds.count) times --then and \(payloads.count) times --with: give it for all of them or for none")
        }
        for kind in kinds where !KindName.isValid(kind) {
            throw ending(.usage, "--then \(printable(kind)): a kind is \(KindName.rule)")
        }
    }

    /// - Parameter first: the jobs that stand before them.
    func jobs(after first: Range<Int>) -> [JobSpec] {
        var stage = Array(first)
        return kinds.indices.map { place in
            var job = JobSpec(kind: kinds[place], payload: .text(payloads.isEmpty ? "" : payloads[place]))
            job.inputs = stage
            stage = [first.upperBound + place]
            return job
        }
    }
}
