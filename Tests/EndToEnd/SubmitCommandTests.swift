import Foundation
import StatexClient
import Testing

@testable import StatexStack

extension EndToEnd {
    /// `statex submit` against a real stack.
    @Suite struct SubmitCommandTests {
        private struct Answer: Decodable {
            struct Job: Decodable {
                var state: String
                var attempts: Int
            }
            var request: String
            var state: String
            var jobs: [Job]
        }

        private func answer(_ run: CommandRun) throws -> Answer {
            try JSONDecoder().decode(Answer.self, from: Data(run.output.utf8))
        }

        private func submit(_ stack: TestStack, _ arguments: String...) throws -> CommandRun {
            try CommandRun(["submit", "--endpoint", stack.submitEndpoint()] + arguments, in: stack.directory)
        }

        @Test func `a result is shortened for people and whole as JSON`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let numbers = "[\((0..<20).map(String.init).joined(separator: ","))]"
                let people = try submit(stack, "--kind", "echo", "--payload", numbers, "--wait")
                #expect(people.end == .exited(0))
                #expect(people.output.hasSuffix("\n    [0, 1, … 20 numbers]\n"), "\(people)")
                let json = try submit(stack, "--kind", "echo", "--payload", numbers, "--wait", "--json")
                #expect(json.end == .exited(0) && json.output.contains("\"result\":\(numbers)"), "\(json)")
            }
        }

        @Test func `a kind that nobody serves is said, and waited for`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let submit = try stack.launchSubmit(["--kind", "echo", "--payload", "a", "--wait"])
                try await submit.eventually("the word") {
                    submit.said.contains("no worker serves kind echo; waiting for one\n")
                }
                _ = try stack.startWorker("w")
                #expect(try submit.waitForEnd() == .exited(0), "\(submit.said)")
            }
        }

        @Test func `a pause and a label that nobody has are said too`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                #expect(try stack.ask("pause", "--kind", "echo").end == .exited(0))
                for (options, word) in [
                    ([], "echo waits: its kind is paused"),
                    (["--label", "gpu"], "noop waits: no worker has its labels"),
                ] {
                    let kind = options.isEmpty ? "echo" : "noop"
                    let submit = try stack.launchSubmit(["--kind", kind, "--payload", "a", "--wait"] + options)
                    try await submit.eventually("the word") { submit.said.contains(word) }
                    try submit.kill()
                }
            }
        }

        @Test func `a wait that is over has a code of its own, and the jobs go on`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                let over = try submit(
                    stack, "--kind", "noop", "--payload", "", "--wait", "--timeout", "0.2", "--json", "--key", "k")
                #expect(over.end == .exited(7), "\(over)")
                let first = try answer(over)
                #expect(first.state == "open" && first.jobs.map(\.state) == ["queued"])
                _ = try stack.startWorker("w")
                let done = try submit(stack, "--kind", "noop", "--payload", "", "--wait", "--json", "--key", "k")
                #expect(done.end == .exited(0))
                #expect(try answer(done).request == first.request)
            }
        }

        @Test func `failures and conflicts have their codes`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let failed = try submit(
                    stack, "--kind", "fail", "--payload", #"{"retryable": false}"#, "--kind", "noop", "--payload", "",
                    "--wait", "--json")
                #expect(failed.end == .exited(1))
                #expect(try answer(failed).jobs.map(\.state) == ["failed", "succeeded"])
                #expect(try submit(stack, "--kind", "noop", "--payload", "a", "--key", "k").end == .exited(0))
                let conflict = try submit(stack, "--kind", "noop", "--payload", "b", "--key", "k")
                #expect(conflict.end == .exited(6) && conflict.errors.contains("another content"), "\(conflict)")
            }
        }

        @Test func `one request takes as many jobs as the limit says, and no more`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let words = (0..<Limits.jobsInRequest).flatMap { ["--kind", "noop", "--payload", "\($0)"] }
                let arguments = ["submit", "--endpoint", stack.submitEndpoint(), "--wait", "--json"] + words
                let run = try CommandRun(arguments, in: stack.directory)
                #expect(run.end == .exited(0), "\(run.errors)")
                #expect(try answer(run).jobs.count == Limits.jobsInRequest)
                let more = try CommandRun(arguments + ["--kind", "noop", "--payload", ""], in: stack.directory)
                #expect(more.end == .exited(2) && more.errors.contains("split it"), "\(more.errors)")
            }
        }
    }
}
