// What a handler may do to its worker, each once. After every attempt the worker goes on, the next
// job succeeds in a new process, and nothing of the old one is left.

import Foundation
import StatexHandlerAPI
import Testing

@testable import StatexProcesses

@Suite(.timeLimit(.minutes(3))) struct HostileHandlerTests {
    /// Runs `attack` for the payload `attack`, checks its error, and that a normal job works afterwards.
    private func attack(
        _ body: String, limit: Int = 0, without layers: Set<IsolationLayer> = [],
        _ change: (inout ProcessSettings) -> Void = { _ in },
        then check: (HandlerError) -> Void
    ) async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let attack = body.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
        var settings = try workshop.settings("if text == 'attack':\n\(attack.joined(separator: "\n"))\nresult('well')")
        settings.leavesOut = layers
        change(&settings)
        let handler = try ProcessHandler(settings)
        let error = await handler.failure(job("attack", limit: limit))
        check(try #require(error))
        #expect(try workshop.processesLeft() == [])
        #expect(workshop.directoriesLeft() == [])
        #expect(try await handler.text(job("normal", id: 8)) == "\"well\"")
        await handler.close()
        #expect(try workshop.processesLeft() == [])
        #expect(workshop.directoriesLeft() == [])
    }

    // MARK: what it prints

    static let poisons = [
        #"\x00"#, #"\\u0000"#, #"\xff"#, #"\xc0\x80"#, #"\xed\xa0\x80"#, #"\xf4\x90\x80\x80"#, #"\\ud800"#,
        #"\\udc00\\ud800"#,
        #"\xe2\x82"#,
    ]
    static let lines = [
        #"{"type":"result","id":"7","result":"POISON"}"#,
        #"{"type":"result","id":"7","result":{"POISON":1}}"#,
        #"{"type":"error","id":"7","class":"x","message":"POISON"}"#,
        #"{"type":"error","id":"7","class":"POISON","message":"x"}"#,
        #"{"type":"progress","id":"7","fraction":0.5,"text":"POISON"}"#,
        #"{"type":"result","id":"POISON","result":1}"#,
        #"{"type":"POISON","id":"7"}"#,
        #"{"type":"result","id":"7","result":1,"POISON":1}"#,
        #"POISON"#,
    ]

    @Test(arguments: lines) func aNulOrBrokenUTF8InAnyTextIsRefused(line: String) async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        // The payload names the poison; one handler, nine attacks, each in a process of its own.
        let poisons = Self.poisons.map { "b'" + $0 + "'" }.joined(separator: ", ")
        let handler = try ProcessHandler(
            workshop.settings("raw(b'''\(line)'''.replace(b'POISON', [\(poisons)][int(text)]) + b'\\n')"))
        for index in Self.poisons.indices {
            let error = await handler.failure(job(String(index)))
            #expect(error?.errorClass == "handler_output", "\(line) with \(Self.poisons[index])")
            #expect(error?.retryable == false)
        }
        await handler.close()
        #expect(try workshop.processesLeft() == [])
    }

    @Test(arguments: [
        #"{"type":"unavailable","reason":"POISON"}"#, #"{"type":"ready","protocol":1,"name":"POISON","version":"1"}"#,
    ]) func aNulOrBrokenUTF8InTheFirstLineIsRefused(line: String) async throws {
        for poison in Self.poisons {
            let workshop = try Workshop()
            let handler = try ProcessHandler(
                workshop.settings("", before: "raw(b'''\(line)'''.replace(b'POISON', b'\(poison)') + b'\\n')"))
            let reason = await handler.unavailable()
            #expect(reason?.hasPrefix("instead of ready: ") == true, "\(poison): \(reason ?? "accepted")")
            await handler.close()
            workshop.remove()
        }
    }

    @Test func aLineOfOneGigabyteCostsNoMoreMemoryThanTheLimit() async throws {
        let before = peakMemory()
        try await attack("for _ in range(1024): raw(b'x' * 1048576)") { error in
            #expect(error.errorClass == "handler_output")
            #expect(error.message.contains("more than 16777216 bytes"))
        }
        #expect(peakMemory() - before < 200 << 20)
    }

    @Test func aFloodOfProgressDoesNotDelayTheTimeLimit() async throws {
        try await attack("while True: say({'type': 'progress', 'id': '7', 'fraction': 0.1})", limit: 500) { error in
            #expect(error.errorClass == "handler_timeout")
        }
    }

    @Test func twoResultsAreOneResultAndTheEndOfTheProcess() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(workshop.settings("result(birth); text == 'twice' and result('second')"))
        for id in stride(from: UInt64(1), to: 20, by: 2) {
            let first = try await handler.text(job("twice", id: id))
            let second = try await handler.text(job("once", id: id + 1))
            #expect(Int(first) != nil && Int(second) != nil && first != second)
        }
        await handler.close()
    }

    @Test func theResultOfAnotherJobIsRefused() async throws {
        try await attack("say({'type': 'result', 'id': '6', 'result': 1})") { error in
            #expect(error.message == "the handler broke the protocol: a line about another job")
            #expect(!error.retryable)
        }
    }

    @Test func whatIsNotTheProtocolIsRefusedWithAHint() async throws {
        try await attack("print('Loading model...', flush=True)") { error in
            #expect(error.message.contains("print everything else to stderr"))
        }
    }

    // MARK: how it ends

    @Test func noResultIsATimeout() async throws {
        try await attack("time.sleep(1000)", limit: 300) { error in
            #expect(error.errorClass == "handler_timeout")
            #expect(error.retryable)
        }
    }

    @Test func aClosedOutputIsACrash() async throws {
        try await attack("os.close(1); time.sleep(1000)") { error in
            #expect(error.errorClass == "handler_crashed")
            #expect(error.message.contains("closed its output"))
        }
    }

    @Test func exitZeroInTheMiddleIsACrash() async throws {
        try await attack("sys.stderr.write('bye'); sys.stderr.flush(); os._exit(0)") { error in
            #expect(
                error
                    == HandlerError(
                        "handler_crashed", "the handler ended with exit code 0 before it gave a result; it printed: bye"
                    ))
        }
    }

    @Test func aSignalIsACrashWithItsName() async throws {
        try await attack("os.kill(os.getpid(), signal.SIGSEGV)") { error in
            #expect(error.message.contains("signal 11 (SIGSEGV)"))
        }
    }

    @Test func aResultAndThenTheEndIsAResult() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(workshop.settings("result(1); os._exit(1)"))
        for _ in 0..<20 { #expect(try await handler.text(job()) == "1") }
        await handler.close()
    }

    @Test(arguments: allLayers) func ignoringSIGTERMHelpsNobody(without: Set<IsolationLayer>) async throws {
        let body = "for s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)\nwhile True: time.sleep(100)"
        try await attack(body, limit: 300, without: without) { error in #expect(error.errorClass == "handler_timeout") }
    }

    @Test(arguments: allLayers) func forkAndSetsidAwayHelpsNobody(without: Set<IsolationLayer>) async throws {
        let body = """
            for _ in range(20):
                if os.fork() == 0:
                    os.setsid()
                    for s in (1, 2, 15): signal.signal(s, signal.SIG_IGN)
                    if os.fork() == 0:
                        os.setsid()
                        while True: time.sleep(100)
                    while True: time.sleep(100)
            if job['attempt'] == 1: os._exit(0)
            """
        try await attack(body, without: without) { error in #expect(error.errorClass == "handler_crashed") }
    }

    @Test(arguments: allLayers) func aForkBombMeetsItsLimitAndIsGone(without: Set<IsolationLayer>) async throws {
        let body = """
            while True:
                try: os.fork()
                except OSError: pass
            """
        try await attack(body, limit: 1_000, without: without) {
            $0.limits.processes = 40
        } then: { error in
            #expect(["handler_timeout", "processes"].contains(error.errorClass))
        }
    }

    // MARK: what it eats

    @Test func memoryInOneProcessIsAFailedAllocation() async throws {
        let body = "try: x = bytearray(1 << 30)\nexcept MemoryError: error('too_big', 'no memory'); continue"
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings(body)
        settings.limits.memoryBytes = 200 << 20
        let handler = try ProcessHandler(settings)
        #expect(await handler.failure(job())?.errorClass == "too_big")
        await handler.close()
    }

    @Test(arguments: [[], [.namespaces]] as [Set<IsolationLayer>])
    func memoryInManyProcessesIsAddedUp(without: Set<IsolationLayer>) async throws {
        let body = """
            for _ in range(8):
                if os.fork() == 0:
                    x = bytearray(os.urandom(1 << 20)) * 100
                    time.sleep(1000)
            time.sleep(1000)
            """
        try await attack(body, without: without) {
            $0.limits.memoryBytes = 400 << 20
        } then: { error in
            #expect(error.errorClass == "memory")
            #expect(error.message.contains("419430400 allowed"))
        }
    }

    @Test func sharedMemoryCountsToo() async throws {
        let body =
            "import mmap\nm = mmap.mmap(-1, 600 << 20)\nfor i in range(0, len(m), 4096): m[i] = 1\ntime.sleep(1000)"
        try await attack(body) {
            $0.limits.memoryBytes = 300 << 20
        } then: { error in
            #expect(error.errorClass == "memory")
        }
    }

    @Test func memoryThatNoSizeShowsCannotBeHad() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("try: os.memfd_create('x'); result('had')\nexcept OSError as e: result(e.errno)"))
        #expect(try await handler.text(job()) == "38")
        await handler.close()
    }

    @Test func cpuTimeOfAllProcessesEndsTheJobAndIsCountedByJob() async throws {
        let spin = "if os.fork() == 0: os.setsid()\nwhile True: pass"
        try await attack(spin) {
            $0.limits.cpuSeconds = 1
        } then: { error in
            #expect(error.errorClass == "cpu")
        }
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings(
            "end = time.process_time() + 0.7\nwhile time.process_time() < end: pass\nresult(birth)")
        settings.limits.cpuSeconds = 1
        let handler = try ProcessHandler(settings)
        let first = try await handler.text(job())
        #expect(try await handler.text(job()) == first)
        #expect(try await handler.text(job()) == first)
        await handler.close()
    }

    @Test(arguments: [
        "for i in range(50): open(f'f{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(1000)",
        "f = open('f', 'wb'); os.unlink('f')\nfor i in range(30): f.write(bytes(1 << 20)); f.flush()\ntime.sleep(1000)",
        "for i in range(5000): open(f'f{i}', 'wb').close()\ntime.sleep(1000)",
        "for i in range(100): os.mkdir('d'); os.chdir('d')\ntime.sleep(1000)",
    ]) func diskBeyondTheLimitEndsTheJob(body: String) async throws {
        try await attack(body) {
            $0.limits.diskBytes = 20 << 20
            $0.limits.entries = 2_000
        } then: { error in
            #expect(error.errorClass == "disk")
            #expect(!error.retryable)
        }
    }

    @Test func oneFileIsLimitedAtOnce() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings(
            """
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            try:
                with open('f', 'wb') as f: f.write(bytes(30 << 20))
            except OSError as e: result([e.errno, os.path.getsize('f')])
            """)
        settings.limits.fileBytes = 10 << 20
        let handler = try ProcessHandler(settings)
        #expect(try await handler.text(job()) == "[27, 10485760]")
        await handler.close()
    }

    @Test func descriptorsAreTheHandlersOwn() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings(
            """
            held = []
            try:
                while True: held.append(os.open('/dev/null', os.O_RDONLY))
            except OSError as e:
                for f in held: os.close(f)
                result([e.errno, len(held) < 64])
            """)
        settings.limits.files = 64
        let handler = try ProcessHandler(settings)
        #expect(try await handler.text(job()) == "[24, true]")
        await handler.close()
    }

    @Test func stdinThatIsNeverReadDoesNotBlockTheWorker() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let script = """
            import os, sys, time
            print('{"type":"ready","protocol":1,"name":"deaf","version":"1"}', flush=True)
            sys.stdin.close(); os.close(0)
            time.sleep(1000)
            """
        let settings = workshop.program(["/usr/bin/python3", "-I", "-c", script, workshop.mark])
        let handler = try ProcessHandler(settings)
        let error = await handler.failure(job(limit: 1_000))
        #expect(["handler_crashed", "handler_timeout"].contains(error?.errorClass))
        #expect(try workshop.processesLeft() == [])
        await handler.close()
    }
}

/// Bytes that this process ever had in memory at once.
private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1024
}
