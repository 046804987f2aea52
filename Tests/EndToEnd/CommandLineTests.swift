import Foundation
import Testing

@testable import StatexStack

extension EndToEnd {
    /// What the command line refuses before it does anything, and how it ends.
    @Suite final class CommandLineTests {
        private let directory = "/tmp/statex-cli-" + String(UInt32.random(in: .min ... .max), radix: 36)

        init() throws { try makePath(directory, mode: 0o700) }

        deinit { try? FileManager.default.removeItem(atPath: directory) }

        private func run(_ arguments: String...) throws -> CommandRun { try CommandRun(arguments, in: directory) }

        @Test(arguments: [
            ["submit", "--bogus"], ["submit"], ["submit", "--kind", "k"],
            ["submit", "--kind", "a b", "--payload", ""], ["submit", "--text", "a", "--timeout", "0"],
            ["status", "--timeout", "x"], ["verify", "--database", "file:/x"], ["explain", "x"],
            ["bench", "limit", "--jobs", "1"],
            ["bench", "throughput", "--jobs", "0"], ["bench", "backlog", "--payload-bytes", "65537"],
            ["bench", "latency", "--jobs=-1"], ["bench", "snapshot", "--pairs", "0"], ["nothing"],
            ["config", "show", "--set", "bogus=1"], ["config", "--set", "bogus"], ["up", "--workers", "-1"],
            ["up", "--set", "data_dir=/nowhere", "--submit-endpoint", "udp://x"],
            ["scheduler", "--slots", "1"], ["scheduler", "--database", "file:/x"], ["worker", "--slots", "0"],
            ["worker", "--handlers", "nobody"], ["jobs", "--state", "bogus"], ["jobs", "--limit", "0"],
            ["jobs", "--since", "yesterday"], ["job", "x"], ["cancel"], ["cancel", "--state", "dead"], ["retry"],
            ["retry", "--all", "--rate", "0"], ["dead", "drop"], ["dead", "--before", "x"], ["drain"], ["pause"],
            ["pause", "--all", "--kind", "a"], ["resume"], ["top", "--interval", "1ms"], ["audit", "--before", "x"],
            ["submit", "--text", "a", "--delay", "x"], ["submit", "--text", "a", "--endpoint", "udp://x"],
            ["submit", "--text", "a", "--at", "9999-01-01T00:00:00Z"],
            ["submit", "--text", "a", "--priority", "-1"], ["simulate", "--seeds", "0"], ["audit", "--before", "1.x"],
            ["simulate", "--seeds", "1", "--trace", "--json"], ["simulate", "--seeds", "1", "--shrink", "--json"],
            ["submit", "--text", "a", "--delay", "1s", "--at", "1h"],
            ["jobs", "--since", "300000-01-01T00:00:00Z"], ["dead", "drop", "--until", "300000-01-01T00:00:00Z"],
            ["audit", "--since", "2200-01-01T00:00:00Z"], ["events", "--since", "300000-01-01T00:00:00Z"],
            ["pause", "--kind", "a b"], ["resume", "--tenant", ""],
        ])
        func `wrong arguments and settings end every command with 2 and a reason`(arguments: [String]) throws {
            let run = try CommandRun(
                arguments + (["worker"].contains(arguments[0]) ? ["--set", "data_dir=\(directory)"] : []), in: directory
            )
            #expect(run.end == .exited(2))
            #expect(run.errors.hasPrefix("statex: ") && run.output.isEmpty, "\(run)")
        }

        @Test func `an argument that is not UTF-8 is refused, and names its option`() throws {
            for (words, option) in [
                (#"submit --text "$(printf 'a\377')""#, "--text"),
                (#"submit --kind k --payload="$(printf '\303')""#, "--payload"),
            ] {
                let run = try CommandRun(script: words, in: directory)
                #expect(run.end == .exited(2))
                #expect(run.errors.hasPrefix("statex: \(option): the value is not valid UTF-8"), "\(run)")
            }
        }

        @Test func `a file above the limit is refused before a scheduler is asked or anything is copied`() throws {
            let file = directory + "/large"
            #expect(FileManager.default.createFile(atPath: file, contents: Data(count: (1 << 20) + 1)))
            let run = try run(
                "submit", "--text", "a", "--file", file, "--set", "max_object_bytes=1MiB", "--objects",
                directory + "/objects")
            #expect(run.end == .exited(2))
            #expect(
                run.errors.contains("--file \(file): it has 1048577 bytes, the limit (max_object_bytes) is 1048576"),
                "\(run)")
            #expect(!FileManager.default.fileExists(atPath: directory + "/objects"))
        }

        @Test func `what is no regular file is refused and not waited for`() throws {
            #expect(mkfifo(directory + "/fifo", 0o600) == 0)
            for path in ["/fifo", "", "/none"] {
                let run = try run("submit", "--audio", directory + path)
                #expect(run.end == .exited(2))
                #expect(run.errors.hasPrefix("statex: --audio \(directory + path): "), "\(run)")
            }
        }

        @Test func `a ready file that cannot be written is found out before anything starts`() throws {
            for path in [directory + "/none/ready.json", directory] {
                let run = try run("up", "--data-dir", directory + "/data", "--ready-file", path)
                #expect(run.end == .exited(2))
                #expect(run.errors.contains("--ready-file \(path): "), "\(run)")
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/data").isEmpty)
        }

        @Test func `an absent scheduler and an absent database are 4`() throws {
            let endpoint = "ipc://\(directory)/none.sock"
            #expect(try run("status", "--endpoint", endpoint, "--timeout", "0.1").end == .exited(4))
            #expect(try run("submit", "--text", "a", "--endpoint", endpoint, "--timeout", "0.1").end == .exited(4))
            #expect(try run("verify", "--database", "postgresql://x@/x?host=\(directory)").end == .exited(4))
            let workers = try run("workers", "--data-dir", directory, "--timeout", "0.1")
            #expect(workers.end == .exited(4) && workers.errors.contains(directory + "/run/submit.sock"), "\(workers)")
            for command in ["verify", "jobs", "audit"] {
                let run = try run(command, "--data-dir", directory)
                #expect(run.end == .exited(4))
                #expect(run.errors.contains("the journal of the data directory \(directory) was not there"), "\(run)")
            }
        }

        @Test func `an endpoint that is none is named as its flag`() throws {
            let run = try run("status", "--endpoint", "udp://x")
            #expect(run.errors.contains("--endpoint") && !run.errors.contains("--submit-endpoint"), "\(run)")
        }

        @Test func `config show says the handlers too`() throws {
            let none = try run("config", "show")
            #expect(none.output.contains(#/\nhandlers +\(none\)  \[default\]\n/#), "\(none)")
            let file = directory + "/statex.yaml"
            try "handlers: [{kind: a, process: {command: [x]}}, {kind: b, http: {url: 'http://h'}}]"
                .write(toFile: file, atomically: false, encoding: .utf8)
            let two = try run("config", "show", "--config", file)
            #expect(two.output.contains(#/\nhandlers +a b +\[\S+:1\]\n/#), "\(two)")
            #expect(two.output.contains(#/\nhandlers\[1\]\.http\.url +http:\/\/h /#), "\(two)")
        }

        @Test func `sql prints the migrations, for people and as JSON`() throws {
            #expect(try run("sql").output.hasPrefix("-- 1 "))
            let json = try JSONSerialization.jsonObject(with: Data(run("sql", "--json").output.utf8))
            let steps = try #require((json as? [String: [[String: Any]]])?["migrations"])
            #expect(steps.compactMap { $0["number"] as? Int } == Array(1...steps.count))
        }

        @Test func `the help names every exit code`() throws {
            let help = try run("--help")
            #expect(help.end == .exited(0))
            for code in [0, 1, 2, 3, 4, 5, 6, 7, 75, 76] {
                #expect(help.output.contains("\n  \(code) "), "\(code) is missing")
            }
        }
    }
}
