import ArgumentParser
import StatexClient
import StatexProtocol

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "Say why a job waits: one reason, and until when if that is known.",
        discussion: "Exits 5 when no open job of that id is known: `statex job` shows those that ended.")

    @Argument(help: "The job's id.") var id: String
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup var options: ClientOptions

    func run() async throws {
        let job = try jobIDs([id])[0]
        let client = try await options.connect(options.load(), looksOnly: true)
        let explanation = try await asClient { () throws(ClientError) in try await client.explain(job: job) }
        await client.close()
        guard let state = explanation.state else { throw ending(.unknown, "no open job \(job) is known") }
        if json {
            var text = JSONText()
            text.object {
                $0.member("id", job.description)
                $0.member("state", state.name)
                $0.member("reason", explanation.reason.name)
                if let until = explanation.untilText { $0.member("until", until) }
                $0.member("detail", explanation.detail)
            }
            return print(String(decoding: text.bytes, as: UTF8.self))
        }
        print("job \(job) is \(state.name): \(explanation.sentence)")
    }
}
