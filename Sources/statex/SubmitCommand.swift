import ArgumentParser
import Foundation
import StatexClient

struct SubmitCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submit", abstract: "Submit one request of any number of jobs.",
        discussion: """
            Jobs stand in the request in the order text, audio, file, kind. Without --wait it returns when the \
            request is durable. Exits 0 when it was accepted, with --wait only when all jobs succeeded; 1 when one \
            did not, 2 for a wrong input, 3 when the scheduler refused or was busy, 4 when it was not there, 64 for wrong \
            flags.
            """)

    @Option(help: "A text to analyse; repeatable.") var text: [String] = []
    @Option(help: "A sound file to transcribe; repeatable.") var audio: [String] = []
    @Option(help: "A document or image to read; repeatable.") var file: [String] = []
    @Option(help: "A kind of your own, followed by its --payload; repeatable.") var kind: [String] = []
    @Option(help: "The payload of the --kind before it.") var payload: [String] = []
    @Option(help: "Who the request is for.") var tenant = "default"
    @Option(help: "Submitted again with the same key, it is the same request.") var key: String?
    @Option(help: "The folder for inputs above 64 KiB (key objects).") var objects: String?
    @Flag(help: "Wait until all jobs are final.") var wait = false
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        guard kind.count == payload.count else {
            throw ending(
                .usage, "\(kind.count) times --kind and \(payload.count) times --payload: each needs the other")
        }
        guard !(text + audio + file + kind).isEmpty else {
            throw ending(.usage, "nothing to submit: give --text, --audio, --file, or --kind with --payload")
        }
        let client = try await options.connect(objects: objects)
        let request = Request(try await jobs(client), tenant: tenant, key: key)
        let handle = try await asClient { () throws(ClientError) in try await client.submit(request) }
        let status = try await asClient { () throws(ClientError) in
            wait ? try await handle.result() : try await handle.status()
        }
        let report = await RequestReport(status, withResults: wait, client: client)
        print(json ? report.json : report.text)
        await client.close()
        if wait && status.state != .succeeded { throw ExitCode(ClientExit.failed.rawValue) }
    }

    private func jobs(_ client: Client) async throws -> [JobSpec] {
        var jobs = text.map { JobSpec(kind: "text", payload: .text($0)) }
        for path in audio { jobs.append(JobSpec(kind: "audio", payload: try await payload(ofFile: path, client))) }
        for path in file { jobs.append(JobSpec(kind: "file", payload: try await payload(ofFile: path, client))) }
        for (kind, payload) in zip(kind, payload) { jobs.append(JobSpec(kind: kind, payload: .text(payload))) }
        return jobs
    }

    /// A small file travels in the message, a larger one by reference; it is never read whole into memory.
    private func payload(ofFile path: String, _ client: Client) async throws -> Payload {
        do {
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let start = try file.read(upToCount: Limits.inlineBytes + 1) ?? Data()
            if start.count <= Limits.inlineBytes { return .bytes(Array(start)) }
        } catch { throw ending(.usage, "\(path) cannot be read: \(error.localizedDescription)") }
        return try await asClient { () throws(ClientError) in try await client.store(file: path) }
    }
}
