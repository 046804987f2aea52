import Foundation
import StatexHandlerAPI
import StatexProtocol
import Testing

@testable import StatexProcesses

/// Several jobs in one call of a process.
@Suite(.timeLimit(.minutes(2))) struct BatchTests {
    /// A handler that gets `jobs` lines; `body` sees `jobs`, and `text(job)`, `result(job, …)` and `error(job, …)`.
    private func handler(_ workshop: Workshop, _ body: String, _ change: (inout ProcessSettings) -> Void = { _ in })
        throws -> ProcessHandler
    {
        let script = """
            import json, os, signal, sys, time
            def say(o):
                sys.stdout.write(json.dumps(o) + "\\n"); sys.stdout.flush()
            def text(job):
                return open(job["payload"]["path"]).read()
            def result(job, value):
                say({"type": "result", "id": job["id"], "result": value})
            def error(job, name):
                say({"type": "error", "id": job["id"], "class": name, "retryable": False})
            say({"type": "ready", "protocol": 1, "name": "test", "version": "1"})
            for line in sys.stdin:
                message = json.loads(line)
                jobs = message["jobs"]
            \(body.split(separator: "\n").map { "    " + $0 }.joined(separator: "\n"))
            """
        let path = workshop.directory + "/handler.py"
        try script.write(toFile: path, atomically: false, encoding: .utf8)
        var settings = workshop.program(["/usr/bin/python3", "-I", path, workshop.mark])
        settings.batchSize = 8
        change(&settings)
        return try ProcessHandler(settings)
    }

    private func jobs(_ texts: String..., cancellations: [Int: Cancellation] = [:]) -> [Job] {
        texts.enumerated().map { job($1, id: UInt64($0 + 1), cancellation: cancellations[$0] ?? Cancellation()) }
    }

    /// Each result's text, or the error's class, with `!` if it is retryable.
    private func said(_ results: [Result<Payload, HandlerError>]) -> [String] {
        results.map { result in
            switch result {
            case .success(.bytes(let bytes)): String(decoding: bytes, as: UTF8.self)
            case .success(.object): "an object"
            case .failure(let error): error.errorClass + (error.retryable ? "!" : "")
            }
        }
    }

    @Test func jobsComeInOneLineEachWithFilesOfItsOwnAndTheirResultsInAnyOrder() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(
            workshop,
            """
            for job in reversed(jobs):
                path = job["payload"]["path"]
                error(job, "bad") if text(job) == "bad" else result(job, [text(job), path, len(jobs), job["attempt"]])
            """)
        #expect(handler.batchSize == 8)
        for _ in 0..<2 {
            #expect(
                said(try await handler.run(jobs("one", "bad", "three")))
                    == [#"["one", "0-input", 3, 1]"#, "bad", #"["three", "2-input", 3, 1]"#])
        }
        await handler.close()
        #expect(try workshop.processesLeft() == [])
    }

    @Test func oneJobAloneIsABatchToo() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(workshop, "for job in jobs: result(job, len(jobs))")
        #expect(try await handler.text(job("x")) == "1")
        await handler.close()
    }

    @Test func whatAProcessAnsweredBeforeItDiedStaysAndTheRestIsRetried() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(
            workshop,
            """
            result(jobs[1], "done")
            if text(jobs[0]) == "die": os.kill(os.getpid(), signal.SIGKILL)
            result(jobs[0], "done too")
            """)
        #expect(
            said(try await handler.run(jobs("die", "x", "y"))) == ["handler_crashed!", "\"done\"", "handler_crashed!"])
        #expect(said(try await handler.run(jobs("x", "y"))) == ["\"done too\"", "\"done\""])
        await handler.close()
    }

    @Test func aLineThatBreaksTheProtocolIsRetriedUnlessOneJobIsToBlame() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(workshop, "result(jobs[0], 1)\nresult(jobs[0], 2)")
        #expect(said(try await handler.run(jobs("a", "b", "c"))) == ["1", "handler_output!", "handler_output!"])
        #expect(said(try await handler.run(jobs("a", "b"))) == ["1", "handler_output"])
        await handler.close()
    }

    @Test func aJobThatIsCancelledLetsTheOthersGoOnAndAllOfThemEndTheProcess() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let (first, second) = (Cancellation(), Cancellation())
        let handler = try handler(
            workshop,
            """
            say({"type": "progress", "id": jobs[1]["id"], "fraction": 0.5})
            if text(jobs[0]) == "hang": time.sleep(600)
            while not os.path.exists("go"): time.sleep(0.01)
            for job in jobs: result(job, text(job))
            """)
        // The first is cancelled while they run; the other says that it runs, and then goes on.
        first.cancel(.cancelled)
        let scratch = workshop.scratch
        let going = Listener {
            for folder in (try? FileManager.default.contentsOfDirectory(atPath: scratch)) ?? [] {
                _ = FileManager.default.createFile(atPath: "\(scratch)/\(folder)/go", contents: nil)
            }
        }
        let together = [
            job("one", id: 1, cancellation: first), job("two", id: 2, cancellation: second, listener: going),
        ]
        #expect(said(try await handler.run(together)) == ["\"one\"", "\"two\""])

        let stopper = Listener { second.cancel(.timeout) }
        let both = [
            job("hang", id: 1, cancellation: first), job("x", id: 2, cancellation: second, listener: stopper),
        ]
        #expect(said(try await handler.run(both)) == ["cancelled", "handler_timeout!"])
        await handler.close()
        #expect(try workshop.processesLeft() == [])
    }

    @Test func aCallEndsWithTheLastJobThatIsWanted() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let unwanted = Cancellation()
        unwanted.cancel(.cancelled)
        let handler = try handler(workshop, "result(jobs[1], 1)\ntime.sleep(600)")
        #expect(said(try await handler.run(jobs("a", "b", cancellations: [0: unwanted]))) == ["cancelled", "1"])
        #expect(try workshop.processesLeft() == [])
        await handler.close()
    }

    @Test func theHandlersTimeLimitEndsWhatIsUnfinished() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(workshop, "result(jobs[0], 1)\ntime.sleep(600)") { $0.runMilliseconds = 500 }
        #expect(said(try await handler.run(jobs("a", "b"))) == ["1", "handler_timeout!"])
        await handler.close()
    }

    @Test func aJobWhosePayloadCannotBeReadFailsAndTheOthersRun() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try handler(workshop, "for job in jobs: result(job, len(jobs))")
        var batch = jobs("a", "b")
        batch.insert(
            Job(id: JobID(rawValue: 9), kind: "test", attempt: 1, payload: .object(reference: Array("{}".utf8))), at: 1)
        #expect(said(try await handler.run(batch)) == ["2", "object", "2"])
        await handler.close()
    }
}
