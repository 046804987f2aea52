import Foundation
import StatexHandlerAPI
import StatexProtocol
import Synchronization
import Testing

@testable import StatexProcesses

@Suite(.timeLimit(.minutes(2))) struct ProcessHandlerTests {
    @Test func aHandlerReadsItsPayloadAndTheResultIsPassedOnAsPrinted() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings(
                #"raw(b'{"type":"result","id":"7","result":{"said": "%s",  "n":1.50}}\n' % text.encode())"#))
        #expect(try await handler.text(job("hello")) == #"{"said": "hello",  "n":1.50}"#)
        await handler.close()
        #expect(try workshop.processesLeft() == [])
        #expect(workshop.directoriesLeft() == [])
    }

    @Test func aProcessIsKeptWarmAndItsDirectoryIsEmptyForEveryJob() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("open('left', 'w').write('x'); result([birth, os.listdir('.')])"))
        let first = try await handler.text(job())
        let second = try await handler.text(job())
        #expect(first == second)
        #expect(first.contains("input"))
        await handler.close()
    }

    @Test func theJobLineSaysAllThatTheDocumentPromises() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings("job['directory'] = job['directory'] == os.getcwd(); result(job)")
        settings.runMilliseconds = 5_000
        let handler = try ProcessHandler(settings)
        let text = try await handler.text(job("four", limit: 9_000))
        #expect(
            text
                == #"{"type": "job", "id": "7", "kind": "test", "attempt": 1, "payload": {"path": "input", "size": 4}, "#
                + #""inputs": [], "#
                + #""directory": true, "time_limit_ms": 5000}"#)
        await handler.close()
    }

    @Test func theResultsThatAJobTakesAreFilesBesideItsPayload() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("result([[i['job'], i['size'], open(i['path']).read()] for i in job['inputs']])"))
        let inputs = [
            JobInput(job: 0, payload: .bytes(Array("zero".utf8))), JobInput(job: 12, payload: .bytes([])),
        ]
        let job = Job(id: JobID(rawValue: 7), kind: "test", attempt: 1, payload: .bytes([]), inputs: inputs)
        #expect(try await handler.text(job) == #"[[0, 4, "zero"], [12, 0, ""]]"#)
        await handler.close()
    }

    @Test func aHandlersErrorKeepsItsClassAndDelay() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("error('broken_file', 'not a PDF', retryable=(text == 'yes'), retry_after=1.5)"))
        #expect(
            await handler.failure(job("no"))
                == HandlerError("broken_file", "not a PDF", retryable: false, retryAfterMilliseconds: 1_500))
        #expect(await handler.failure(job("yes"))?.retryable == true)
        await handler.close()
    }

    @Test func progressReachesTheJob() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("say({'type': 'progress', 'id': job['id'], 'fraction': 0.5, 'text': 'half'}); result(1)"))
        let listener = Listener()
        _ = try await handler.text(job(listener: listener))
        #expect(listener.progress == [Progress(fraction: 0.5, text: "half")])
        await handler.close()
    }

    @Test func outputAndCheckpointsReachTheJobAndACheckpointComesBackAsItWasPrinted() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings(
                """
                say({'type': 'partial', 'id': job['id'], 'text': 'a "word", '})
                raw(b'{"type":"partial","id":"7","value":{"n":  1}}\\n')
                raw(b'{"type":"checkpoint","id":"7","data":[1,  "x"]}\\n')
                result(job.get('checkpoint'))
                """))
        let listener = Listener()
        #expect(try await handler.text(job(listener: listener)) == "null")
        #expect(listener.output == "a \"word\", {\"n\":  1}\n")
        #expect(listener.checkpoint == Array(#"[1,  "x"]"#.utf8))
        #expect(try await handler.text(job(checkpoint: listener.checkpoint)) == #"[1, "x"]"#)
        #expect(try await handler.text(job(checkpoint: Array("no JSON".utf8))) == "null")
        #expect(try await handler.text(job(checkpoint: Array("[1,\n2]".utf8))) == "null")
        await handler.close()
    }

    @Test func aCheckpointAboveTheLimitBreaksTheProtocol() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("say({'type': 'checkpoint', 'id': job['id'], 'data': 'x' * 65535}); result(1)"))
        let error = await handler.failure(job())
        #expect(
            error?.errorClass == "handler_output" && error?.message.contains("65537 bytes") == true, "\(error as Any)")
        await handler.close()
    }

    @Test func aHandlerThatLacksItsModelSaysWhy() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings("", before: "say({'type': 'unavailable', 'reason': 'model.bin is missing'})\nsys.exit(0)")
        )
        #expect(await handler.unavailable() == "model.bin is missing")
        #expect(try workshop.processesLeft() == [])
    }

    @Test func aProgramThatIsMissingIsNamed() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(workshop.program(["/usr/bin/no-such-program"]))
        let reason = await handler.unavailable()
        #expect(reason?.contains("/usr/bin/no-such-program: No such file or directory") == true, "\(reason ?? "")")
        #expect(workshop.directoriesLeft() == [])
    }

    @Test func aHandlerThatDiesAtTheStartSaysItsLastWordsAndIsNotStartedAgainAtOnce() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings(
                "", before: "sys.stderr.buffer.write(b'no \\xff\\0 luck\\n'); sys.stderr.flush(); os._exit(3)"))
        let first = await handler.failure(job())
        #expect(first?.errorClass == "handler_start")
        #expect(first?.message.contains("exit code 3") == true)
        #expect(first?.message.contains("no \u{FFFD}\\x00 luck") == true)
        let second = await handler.failure(job())
        #expect((second?.retryAfterMilliseconds ?? 0) > 0)
    }

    @Test func unavailableLeavesOneProcessWarmForTheFirstJob() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(workshop.settings("result(birth)"))
        #expect(await handler.unavailable() == nil)
        #expect(handler.isolation != nil)
        let before = try workshop.processesLeft()
        _ = try await handler.text(job())
        #expect(try workshop.processesLeft() == before)
        await handler.close()
    }

    @Test func asManyJobsRunAtOnceAsThereAreProcessesAndTheRestWait() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = try workshop.settings("result(int(text))")
        settings.processes = 2
        let handler = try ProcessHandler(settings)
        // A thread each, as a worker's slots are: an attempt blocks.
        let sum = await withTaskGroup(of: Int.self) { group in
            for number in 1...8 {
                group.addTask { await onThread { (try? handler.number(job("\(number)"))) ?? 0 } }
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 36)
        await handler.close()
        #expect(try workshop.processesLeft() == [])
    }

    @Test func aCancelledJobEndsItsProcessAndTheNextJobGetsANewOne() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(
            workshop.settings(
                """
                if text == 'hang':
                    say({'type': 'progress', 'id': job['id'], 'fraction': 0})
                    time.sleep(1000)
                result(1)
                """))
        let cancellation = Cancellation()
        let error = await handler.failure(
            job("hang", cancellation: cancellation, listener: Listener { cancellation.cancel(.cancelled) }))
        #expect(error?.errorClass == "cancelled")
        #expect(error?.retryable == false)
        #expect(try workshop.processesLeft() == [])
        #expect(try await handler.text(job()) == "1")
        await handler.close()
    }

    @Test func aJobThatWaitsForAProcessCanBeCancelled() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let handler = try ProcessHandler(workshop.settings("result(1)"))
        let cancellation = Cancellation()
        cancellation.cancel(.revoked)
        #expect(await handler.failure(job(cancellation: cancellation))?.errorClass == "revoked")
        await handler.close()
    }

    @Test func anObjectIsCopiedIntoThePrivateDirectory() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        let object = workshop.directory + "/object"
        try Data(repeating: 0x61, count: 3_000_000).write(to: URL(fileURLWithPath: object))
        var settings = try workshop.settings("result([len(text), job['payload']['size']])")
        settings.openObject = { _ throws(HandlerError) in open(object, O_RDONLY | O_CLOEXEC) }
        let handler = try ProcessHandler(settings)
        let large = Job(
            id: job().id, kind: "test", attempt: 1, payload: .object(reference: Array("{}".utf8)))
        #expect(try await handler.text(large) == "[3000000, 3000000]")
        await handler.close()
    }

    @Test func theEnvironmentIsTheConfiguredOneAndNothingIsInherited() async throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        setenv("STATEX_TEST_SECRET", "1", 1)
        // A descriptor that this process would leak to any child that does not close it.
        let leak = open("/etc/passwd", O_RDONLY)
        defer { close(leak) }
        var settings = try workshop.settings(
            "result([sorted(os.environ), sorted(int(f) for f in os.listdir('/proc/self/fd'))[:-1], os.getsid(0) == os.getpid()])"
        )
        settings.environment = ["OMP_NUM_THREADS": "1"]
        let handler = try ProcessHandler(settings)
        let text = try await handler.text(job())
        #expect(text == #"[["HOME", "LANG", "OMP_NUM_THREADS", "PATH", "TMPDIR"], [0, 1, 2], true]"#)
        await handler.close()
    }

    @Test func settingsThatCannotWorkAreRefusedWithAReason() throws {
        let workshop = try Workshop()
        defer { workshop.remove() }
        var settings = workshop.program(["python3"])
        #expect(throws: HandlerError.self) { try ProcessHandler(settings) }
        settings.program = ["/bin/sh"]
        settings.isolation = .strict
        settings.allowsNetwork = true
        #expect(settings.fault() == "isolation strict and a network exclude each other")
    }
}
