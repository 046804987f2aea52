import ArgumentParser
import Foundation
import StatexClient
import StatexProtocol

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submit one request of any number of jobs.",
        discussion: """
            Jobs stand in the request in the order text, audio, file, kind, then. --audio talk.flac --then text \
            transcribes a recording and then summarises the transcript; in the --with of a kind that an HTTP server \
            runs, {{results}} stands for the texts of the jobs before, {{result N}} for that of job N. Without --wait \
            it returns when the request is durable; on a terminal --wait shows how far they are. Exits 0 when it was \
            accepted, with --wait only when all jobs succeeded; 1 when one \
            did not, 2 for a wrong input, 3 when the scheduler refused or was busy, 4 when it was not there, 6 when \
            the --key has another content, 7 when --timeout was over first. A file is at most max_object_bytes long; \
            handlers have limits of their own.
            """)

    @Option(help: "A text to analyse; repeatable.") var text: [String] = []
    @Option(help: "A sound file to transcribe; repeatable.") var audio: [String] = []
    @Option(help: "A document or image to read; repeatable.") var file: [String] = []
    @Option(help: "A kind of your own, followed by its --payload; repeatable.") var kind: [String] = []
    @Option(help: "The payload of the --kind before it.") var payload: [String] = []
    @OptionGroup(title: "Jobs that follow") var later: LaterJobs
    @Option(help: "Who the request is for.") var tenant = "default"
    @Option(help: "Submitted again with the same key, it is the same request.") var key: String?
    @OptionGroup var uniqueChoice: UniqueChoice
    @Option(help: "The folder for inputs above 64 KiB (key objects).") var objects: String?
    @OptionGroup var choices: JobChoices
    @Flag(help: "Wait until all jobs are final.") var wait = false
    @Flag(help: "Wait, and with --json print what jobs say before they are done, one JSON object a line.")
    var follow = false
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ClientOptions

    /// See `RepeatedOptions`.
    static let repeatable: Set = ["text", "audio", "file", "kind", "payload"]

    mutating func add(_ options: RepeatedOptions) {
        text += options["text"]
        audio += options["audio"]
        file += options["file"]
        kind += options["kind"]
        payload += options["payload"]
    }

    func run() async throws {
        guard kind.count == payload.count else {
            throw ending(
                .usage, "\(kind.count) times --kind and \(payload.count) times --payload: each needs the other")
        }
        guard !(text + audio + file + kind).isEmpty else {
            throw ending(.usage, "nothing to submit: give --text, --audio, --file, or --kind with --payload")
        }
        for kind in kind where !KindName.isValid(kind) {
            throw ending(.usage, "--kind \(printable(kind)): a kind is \(KindName.rule)")
        }
        try later.check()
        let loaded = try options.load(objects: objects)
        // All of them before the first is copied.
        let limit = UInt64(clamping: loaded.configuration.maximumObjectBytes)
        let audio = try audio.map { try InputFile($0, option: "--audio", limit: limit) }
        let file = try file.map { try InputFile($0, option: "--file", limit: limit) }
        let client = try await options.connect(loaded)

        var jobs = text.map { JobSpec(kind: "text", payload: .text($0)) }
        for input in audio { jobs.append(JobSpec(kind: "audio", payload: try await input.payload(client))) }
        for input in file { jobs.append(JobSpec(kind: "file", payload: try await input.payload(client))) }
        for (kind, payload) in zip(kind, payload) { jobs.append(JobSpec(kind: kind, payload: .text(payload))) }
        jobs += later.jobs(after: jobs.indices)
        for index in jobs.indices { choices.apply(to: &jobs[index]) }
        var request = Request(jobs, tenant: tenant, key: key)
        request.failsDependants = later.failsDependants
        request.unique = uniqueChoice.uniqueness
        let handle = try await asClient { () throws(ClientError) in try await client.submit(request) }

        let waits = wait || follow
        let printer = UpdatePrinter(follows: follow, json: json)
        let status = try await asClient { () throws(ClientError) in
            guard waits else { return try await handle.status() }
            return try await ResultWait(handle, client, timeout: options.timeout, printer: printer).run()
        }
        let report = await RequestReport(
            status, isDuplicate: handle.isDuplicate, withResults: waits, client: client)
        print(json ? report.json : report.text)
        await client.close()
        guard waits, status.state != .succeeded else { return }
        if status.state == .open {
            throw ending(.open, "not all jobs were final within \(options.timeout ?? 0) s (--timeout); they go on")
        }
        throw ExitCode(Exit.failed.code)
    }
}
