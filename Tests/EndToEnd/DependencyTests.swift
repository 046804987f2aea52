import Glibc
import StatexClient
import StatexPostgres
import Testing

extension EndToEnd {
    /// Jobs that wait for others of their request and take their results.
    @Suite struct DependencyTests {
        /// A gate job, and an echo of its result.
        private func chain(_ gate: Gate) -> Request {
            var request = Request([JobSpec(kind: "gate", payload: .text(gate.path)), JobSpec(kind: "echo")])
            request.jobs[1].inputs = [0]
            return request
        }

        @Test func `a dependant of an outcome that is durable runs once after the scheduler was killed`() async throws {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                _ = try stack.startGateWorker("w")
                let client = try await stack.client()
                let handle = try await client.submit(chain(gate))
                let visitor = try gate.next()

                // The commit of the outcome, and of the dependant's lease, stops in its middle.
                let holder = try stack.connection()
                try holder.run("BEGIN; LOCK TABLE statex.outcome_chunks IN ACCESS EXCLUSIVE MODE", doing: "hold")
                visitor.succeed()
                try stack.waitForHeldCommit(holder)
                try first.kill()
                // It happens now, and nobody is there to send the lease.
                try holder.run("COMMIT", doing: "release")
                let second = try stack.startScheduler()
                let result = try await handle.result()
                #expect(result.jobs.map(\.text) == ["attempt 1", "attempt 1"], "\(result)")
                #expect(gate.visitors.count == 1 && !gate.hasUnseen)
                #expect(result.jobs.map(\.losses) == [0, 0])
                #expect(try await client.decodedStatus().workers.count == 1)
                #expect(try second.stop() == .exited(0))
                await client.close()
            }
        }

        @Test func `who waits for whom is known after a restart, and results are given to workers that come later`()
            async throws
        {
            try await TestStack.with { stack in
                let first = try stack.startScheduler()
                let gate = try stack.gate()
                let client = try await stack.client()
                var request = chain(gate)
                request.jobs.append(JobSpec(kind: "echo", payload: .text("and ")))
                request.jobs[2].inputs = [0, 1]
                request.jobs.append(JobSpec(kind: "child"))
                request.jobs[3].after = [2]
                let handle = try await client.submit(request)
                try first.kill()
                let second = try stack.startScheduler()
                #expect(
                    try await handle.status().jobs.map(\.state) == [.queued, .blocked, .blocked, .blocked])
                let worker = try stack.startGateWorker("w", slots: 1)
                try gate.next().succeed()
                #expect(try await client.result(ofJob: handle.jobIDs[2]).text == "and attempt 1attempt 1")
                worker.signal(SIGKILL)
                try second.kill()
                _ = try stack.startScheduler()
                // Nothing serves the last one yet: what it waited for is the journal's to know.
                _ = try stack.startWorker("v")
                #expect(try await handle.result().state == .succeeded)
                await client.close()
            }
        }

        @Test func `a result that is an object is given on as one`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let client = try await stack.client()
                let large = [UInt8](repeating: 7, count: 200_000)
                var request = Request([JobSpec(kind: "echo", payload: .bytes(large)), JobSpec(kind: "echo")])
                request.jobs[1].inputs = [0]
                let result = try await client.submit(request).result()
                guard let given = result.jobs[1].result, case .object = given else {
                    Issue.record("\(result)")
                    return
                }
                #expect(try await client.bytes(of: given) == large)
                await client.close()
            }
        }

        @Test func `a fan of 4,096 jobs and a long chain run to their end`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w", slots: 2)
                let client = try await stack.client()
                var fan = Request((0..<Limits.jobsInRequest).map { _ in JobSpec(kind: "noop") })
                for index in 1..<fan.jobs.count { fan.jobs[index].after = [0] }
                var chain = Request((0..<300).map { _ in JobSpec(kind: "noop") })
                for index in 1..<chain.jobs.count { chain.jobs[index].after = [index - 1] }
                fan.jobs[4_095].after = Array(0..<4_095)
                for handle in try await client.submit(contentsOf: [chain, fan]) {
                    #expect(try await handle.result().state == .succeeded)
                }
                await client.close()
            }
        }

        @Test func `submit takes what follows, and says why it did not run`() async throws {
            try await TestStack.with { stack in
                _ = try stack.startScheduler()
                _ = try stack.startWorker("w")
                let good = try CommandRun(
                    [
                        "submit", "--endpoint", stack.submitEndpoint(), "--kind", "echo", "--payload", "a", "--kind",
                        "echo", "--payload", "b", "--then", "echo", "--with", "> ", "--then", "echo", "--with", ">",
                        "--wait",
                    ], in: stack.directory)
                #expect(good.end == .exited(0) && good.output.hasSuffix("\n    >> ab\n"), "\(good)")
                let failing = [
                    "submit", "--endpoint", stack.submitEndpoint(), "--kind", "fail", "--payload",
                    #"{"retryable": false}"#, "--then", "echo", "--fail-dependants", "--wait",
                ]
                let bad = try CommandRun(failing, in: stack.directory)
                #expect(bad.end == .exited(1))
                #expect(
                    bad.output.contains("failed, attempts 0\n    dependency: not run: a job it waits for "), "\(bad)")
                // However many jobs were at fault, those that waited for them failed in the same way.
                #expect(try CommandRun(failing, in: stack.directory).end == .exited(1))
                let groups = try stack.ask("dead", "--group").list("groups")
                let skipped = groups.filter { $0["error_class"] as? String == "dependency" }
                #expect(skipped.map { $0["count"] as? Int } == [2], "\(groups)")
                let wrong = try CommandRun(
                    ["submit", "--kind", "a", "--payload", "", "--then", "b", "--then", "c", "--with", ""],
                    in: stack.directory)
                #expect(wrong.end == .exited(2) && wrong.errors.contains("--with"), "\(wrong)")
            }
        }
    }
}
