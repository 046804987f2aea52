import Foundation
import Testing

@testable import StatexStack

/// The whole stack as processes: a real Postgres, and stand-ins for the scheduler and the workers.
@Suite(.serialized)
struct SupervisionTests {
    let scratch: ScratchFolder

    /// For tests that need no database: the stand-ins never connect.
    private let elsewhere = "database=postgresql://u:p@127.0.0.1:1/x"

    init() throws { scratch = try ScratchFolder() }

    private func query(_ sql: String, _ url: String) throws -> String {
        let log = scratch.path + "/answer"
        let psql = try #require(PostgresInstallation.installed().first).psql
        var command = Command(psql, ["-XAtq", "-c", sql, url], environment: ["PATH": "/usr/bin:/bin"])
        command.log = log
        let status = try ChildProcess.run(command, limit: .seconds(30))
        let answer = try String(contentsOfFile: log, encoding: .utf8).trimmingCharacters(in: .newlines)
        try #require(status == .exited(0), "\(answer)")
        return answer
    }

    @Test func `says where everything is once everything serves`() throws {
        let stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        let ready = try stack.ready()
        #expect(ready.submitEndpoint == "ipc://\(stack.dataDirectory)/run/submit.sock")
        #expect(ready.workerEndpoint == "ipc://\(stack.dataDirectory)/run/worker.sock")
        #expect(ready.eventsEndpoint == "ipc://\(stack.dataDirectory)/run/events.sock")
        #expect(ready.pid == stack.pid)
        #expect(ready.pids.workers.count == 2)
        #expect(ready.probes == ReadyFile.Probes(scheduler: nil, workers: [nil, nil]))
        let processes = [ready.pids.postgres, ready.pids.scheduler].compactMap { $0 } + ready.pids.workers
        #expect(processes.count == 4)
        for pid in processes { #expect(kill(pid, 0) == 0) }
        #expect(try query("SELECT current_user", ready.database) == "statex")
        let text = try String(contentsOfFile: stack.readyFile, encoding: .utf8)
        for key in [
            "submit_endpoint", "worker_endpoint", "events_endpoint", "database", "pid", "pids", "postgres", "scheduler",
            "workers", "probes",
        ] {
            #expect(text.contains("\"\(key)\":"))
        }
        #expect(stack.stop() == .exited(0))
    }

    @Test func `says where probes are, and gives several workers free ports`() throws {
        for (workers, port) in [(1, 7_001), (2, 0)] {
            let stack = try RunningStack(
                scratch, workers: workers,
                settings: ["scheduler_probes=127.0.0.1:7000", "worker_probes=127.0.0.1:7001", elsewhere])
            try stack.wait(for: "serving")
            let probes = try stack.ready().probes
            #expect(probes.scheduler == "127.0.0.1:7000")
            #expect(probes.workers == [String?](repeating: "127.0.0.1:\(port)", count: workers))
            #expect(stack.stop() == .exited(0))
        }
    }

    @Test func `passes SIGHUP on to the scheduler, and goes on`() throws {
        let stack = try RunningStack(scratch, settings: [elsewhere])
        try stack.wait(for: "serving")
        stack.signal(SIGHUP)
        try stack.wait(for: "scheduler ignored \(SIGHUP)")
        #expect(stack.stop() == .exited(0))
        #expect(stack.events.filter { $0.contains("ignored") } == ["scheduler ignored \(SIGHUP)"])
    }

    @Test func `tells the scheduler of the database, and no worker`() throws {
        let stack = try RunningStack(scratch, settings: ["slots=7", elsewhere])
        try stack.wait(for: "serving")
        let ready = try stack.ready()
        #expect(ready.pids.postgres == nil)
        let scheduler = try #require(stack.events.first { $0.hasPrefix("scheduler started") })
        #expect(
            scheduler.contains(
                "database=postgresql://u:p@127.0.0.1:1/x --submit-endpoint \(ready.submitEndpoint) --worker-endpoint \(ready.workerEndpoint) --events-endpoint \(ready.eventsEndpoint)"
            ))
        let workers = stack.events.filter { $0.hasPrefix("worker started") }
        #expect(workers.count == 2)
        for number in 1...2 {
            let wanted =
                "database=none --endpoint \(ready.workerEndpoint) --slots 7 --name up-\(number) --objects \(stack.dataDirectory)/objects"
            #expect(workers.contains { $0.hasSuffix(wanted) }, "\(workers)")
        }
        #expect(stack.stop() == .exited(0))
    }

    @Test func `starts again what is killed, and rewrites the ready file`() throws {
        let stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        for round in 0..<2 {
            let before = try stack.ready().pids
            for (name, pid) in [
                ("scheduler", before.scheduler), ("worker", before.workers.last), ("postgres", before.postgres),
            ] {
                let pid = try #require(pid)
                try #require(kill(pid, SIGKILL) == 0)
                let said = try stack.wait(for: "ended with")
                #expect(said.contains(name))
                // The others say why in the log of the stack itself.
                #expect(said.contains(" (see \(stack.dataDirectory)/postgres/log, ") == (name == "postgres"), "\(said)")
                try stack.wait(for: "serving")
                let after = try stack.ready().pids
                let all = [after.postgres, after.scheduler].compactMap { $0 } + after.workers
                #expect(!all.contains(pid))
                #expect(all.count == 4)
            }
            #expect(try query("SELECT 1", stack.ready().database) == "1", "round \(round)")
        }
        #expect(stack.stop() == .exited(0))
    }

    @Test(arguments: [SIGTERM, SIGINT])
    func `stops workers, then the scheduler, then the database, and goes on from the data`(signal: Int32) throws {
        var stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        let ready = try stack.ready()
        _ = try query("CREATE TABLE t AS SELECT 7 AS n", ready.database)
        #expect(stack.stop(signal) == .exited(0))
        try stack.wait(for: "stopped")
        let stops = stack.events.filter { $0.contains("stopped") }.map { $0.prefix { $0 != " " } }
        #expect(stops == ["worker", "worker", "scheduler"])
        #expect(ProcessTable.postgresProcesses(on: stack.dataDirectory + "/postgres/data").isEmpty)
        #expect(!FileManager.default.fileExists(atPath: stack.readyFile))
        stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        #expect(try query("SELECT n FROM t", stack.ready().database) == "7")
        #expect(stack.stop() == .exited(0))
    }

    @Test func `nothing outlives it when it is killed, and the next one starts at once`() throws {
        for _ in 0..<3 {
            let stack = try RunningStack(scratch)
            try stack.wait(for: "serving")
            let pids = try stack.ready().pids
            #expect(stack.stop(SIGKILL) == .signalled(SIGKILL))
            for pid in [pids.postgres, pids.scheduler].compactMap({ $0 }) + pids.workers {
                #expect(waitForEnd(of: pid))
            }
            #expect(stack.events.suffix(3).allSatisfy { $0.contains("stopped") })
        }
        // And without waiting for the end of the earlier one.
        let killed = try RunningStack(scratch)
        try killed.wait(for: "serving")
        try killed.tell("worker", "stubborn")
        let old = try killed.ready().pids
        #expect(killed.stop(SIGKILL) == .signalled(SIGKILL))
        let stack = try RunningStack(scratch)
        try stack.wait(for: "ending processes of an earlier run")
        try stack.wait(for: "serving")
        for pid in old.workers { #expect(waitForEnd(of: pid)) }
        try FileManager.default.removeItem(atPath: scratch.path + "/worker.stubborn")
        #expect(stack.stop() == .exited(0))
    }

    @Test func `one that is killed while it makes the data does not disturb the next`() throws {
        for _ in 0..<3 {
            let stack = try RunningStack(scratch)
            let deadline = ContinuousClock.now + .seconds(60)
            while !directoryNames(stack.dataDirectory + "/postgres").contains(where: {
                $0.hasPrefix(PostgresCluster.freshPrefix)
            }) {
                try #require(ContinuousClock.now < deadline)
            }
            #expect(stack.stop(SIGKILL) == .signalled(SIGKILL))
        }
        let stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        #expect(try query("SELECT 1", stack.ready().database) == "1")
        #expect(stack.stop() == .exited(0))
    }

    @Test func `a second one on the same data is refused and harms nothing`() throws {
        let stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        let before = try stack.ready()
        let second = try RunningStack(scratch)
        #expect(try second.wait(for: "failed").contains("another `statex up` (process \(stack.pid))"))
        #expect(second.waitForEnd() == .exited(1))
        #expect(try stack.ready() == before)
        #expect(stack.stop() == .exited(0))
    }

    @Test func `a fenced scheduler is not started again, and the rest goes on`() throws {
        let stack = try RunningStack(scratch)
        try stack.wait(for: "serving")
        try stack.tell("scheduler", "after", "75")
        let scheduler = try #require(stack.ready().pids.scheduler)
        try #require(kill(scheduler, SIGUSR1) == 0)
        try stack.wait(for: "must not be started again")
        try stack.wait(for: "serving")
        #expect(try stack.ready().pids.scheduler == nil)
        #expect(try String(contentsOfFile: stack.readyFile, encoding: .utf8).contains("\"scheduler\":null"))
        #expect(try query("SELECT 1", stack.ready().database) == "1")
        #expect(stack.stop() == .exited(0))
    }

    @Test func `a scheduler whose shard another one holds ends the start with its code`() throws {
        try "76".write(toFile: scratch.path + "/scheduler.exit", atomically: true, encoding: .utf8)
        let stack = try RunningStack(scratch)
        try stack.wait(for: "failed")
        #expect(stack.waitForEnd() == .exited(76))
        #expect(stack.events.filter { $0.hasPrefix("scheduler started") }.count == 1)
        #expect(ProcessTable.postgresProcesses(on: stack.dataDirectory + "/postgres/data").isEmpty)
        #expect(ProcessTable.members(ofStack: stack.dataDirectory).isEmpty)
    }

    @Test func `a process that dies at each start ends the start`() throws {
        try "3".write(toFile: scratch.path + "/worker.exit", atomically: true, encoding: .utf8)
        let stack = try RunningStack(scratch, workers: 1, settings: [elsewhere])
        #expect(
            try stack.wait(for: "failed").contains(
                "worker up-1 ended 3 times before it served, the last time with exit code 3"))
        #expect(stack.waitForEnd() == .exited(1))
        #expect(ProcessTable.members(ofStack: stack.dataDirectory).isEmpty)
    }

    @Test func `a second signal ends the patience with a worker that does not stop`() throws {
        let stack = try RunningStack(scratch, workers: 1, settings: [elsewhere])
        try stack.wait(for: "serving")
        try stack.tell("worker", "stubborn")
        stack.signal(SIGTERM)
        try stack.wait(for: "worker ignored")
        #expect(stack.stop(SIGINT) == .exited(0))
        #expect(stack.events.last?.hasPrefix("scheduler stopped") == true)
    }

    @Test func `a worker that never stops is ended after its limit`() throws {
        let stack = try RunningStack(scratch, workers: 1, settings: ["drain_seconds=0", elsewhere])
        try stack.wait(for: "serving")
        try stack.tell("worker", "stubborn")
        #expect(stack.stop() == .exited(0))
        try stack.wait(for: "worker up-1 does not stop in time")
    }

    @Test func `does not serve before every process said so`() throws {
        try "".write(toFile: scratch.path + "/worker.mute", atomically: true, encoding: .utf8)
        let stack = try RunningStack(scratch, workers: 1, settings: [elsewhere])
        let started = DispatchTime.now()
        // Until the mute one runs: it is told to end, and says so.
        while !stack.events.contains(where: { $0.hasPrefix("worker started") }) {
            try #require(DispatchTime.now() < started + 60)
        }
        #expect(!FileManager.default.fileExists(atPath: stack.readyFile))
        #expect(stack.stop() == .exited(0))
    }

    @Test func `an endpoint that strangers could reach is refused`() throws {
        let stack = try RunningStack(scratch, settings: ["submit_endpoint=tcp://0.0.0.0:7301"])
        #expect(try stack.wait(for: "failed").contains("submit_endpoint: 'tcp://0.0.0.0:7301': without keys"))
        #expect(stack.waitForEnd() == .exited(2))
    }

    @Test func `the gateway is one more child, which says where it listens and a token; it stops first`() throws {
        let stack = try RunningStack(scratch, workers: 1, settings: ["gateway=127.0.0.1:0", elsewhere])
        #expect(try stack.wait(for: "gateway: ").contains("gateway: http://stand.in:1, development token token"))
        let ready = try stack.ready()
        #expect(ready.gateway == "http://stand.in:1" && ready.token == "token")
        let gateway = try #require(ready.pids.gateway)
        #expect(kill(gateway, SIGKILL) == 0)
        // Another one comes; what was printed once is not again.
        #expect(try !stack.wait(for: "gateway: http").contains("token"))
        let started = try #require(stack.events.first { $0.hasPrefix("gateway started") })
        #expect(
            started.contains(
                "database=postgresql://u:p@127.0.0.1:1/x --endpoint \(ready.submitEndpoint) --listen 127.0.0.1:0"))
        #expect(started.contains(" --events-endpoint ") && started.contains(" --objects "))
        #expect(stack.stop() == .exited(0))
        let stopped = stack.events.filter { $0.contains("stopped") }.compactMap { $0.split(separator: " ").first }
        #expect(stopped == ["gateway", "worker", "scheduler"])
    }

    @Test func `without a gateway the ready file says so`() throws {
        let stack = try RunningStack(scratch, workers: 0, settings: [elsewhere])
        try stack.wait(for: "serving")
        let text = try String(contentsOfFile: stack.readyFile, encoding: .utf8)
        #expect(text.contains(#""gateway":null"#) && text.contains(#""token":null"#))
        #expect(stack.stop() == .exited(0))
    }

    @Test func `a gateway that strangers could reach without keys is refused`() throws {
        let stack = try RunningStack(scratch, settings: ["gateway=0.0.0.0:8420"])
        #expect(try stack.wait(for: "failed").contains("gateway: 0.0.0.0:8420: without gateway_tokens"))
        #expect(stack.waitForEnd() == .exited(2))
    }
}
