import StatexProtocol
import StatexStack
import Testing

@testable import statex

@Suite struct OperatorTextTests {
    @Test(
        arguments: [
            ("lost", nil, "lost"), ("lost", "", "lost"), ("io", "disk full\nat line 3", "io: disk full"),
            (nil, "boom", "boom"), ("", "", nil), (nil, nil, nil),
        ] as [(String?, String?, String?)])
    func `an error is shown as far as there is one`(errorClass: String?, message: String?, shown: String?) {
        #expect(shortError(errorClass, message) == shown)
    }

    @Test(arguments: ["--at", "--deadline"])
    func `a time that no job may have is refused with the name of its flag`(flag: String) throws {
        #expect(throws: (any Error).self) {
            try Statex.parseAsRoot(["submit", "--text", "a", flag, "9999-01-01T00:00:00Z"])
        }
        do { _ = try Statex.parseAsRoot(["submit", "--text", "a", flag, "9999-01-01T00:00:00Z"]) } catch {
            #expect(Statex.message(for: error) == "\(flag) takes a time from 1970 to 2199")
        }
        _ = try Statex.parseAsRoot(["submit", "--text", "a", flag, "2199-01-01T00:00:00Z"])
    }

    @Test(arguments: [
        ["jobs", "--since"], ["jobs", "--until"], ["dead", "--since"], ["dead", "--until"], ["audit", "--since"],
        ["retry", "--since"], ["retry", "--until"], ["dead", "drop", "--since"], ["dead", "drop", "--until"],
    ])
    func `a list of a time that nothing has is refused with the name of its flag`(words: [String]) throws {
        for time in ["1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "300000-01-01T00:00:00Z", "36000d"] {
            do {
                _ = try Statex.parseAsRoot(words + [time])
                Issue.record("\(words) \(time) was taken")
            } catch {
                #expect(Statex.message(for: error) == "\(words.last ?? "") takes a time from 1970 to 2199")
            }
        }
        for time in ["1970-01-01T00:00:00Z", "2199-12-31T23:59:59Z", "1d"] {
            _ = try Statex.parseAsRoot(words + [time])
        }
    }

    @Test func `a pause of what no kind or tenant may be called is refused with the rule`() throws {
        let limit = Limits.nameBytes
        let long = String(repeating: "a", count: limit + 1)
        for (words, message) in [
            (["pause", "--kind", "a b"], "--kind a b: a kind is \(KindName.rule)"),
            (["pause", "--kind", ""], "--kind has 0 bytes, it takes 1 to \(limit)"),
            (["pause", "--tenant", ""], "--tenant has 0 bytes, it takes 1 to \(limit)"),
            (["resume", "--kind", ""], "--kind has 0 bytes, it takes 1 to \(limit)"),
            (["resume", "--tenant", long], "--tenant has \(limit + 1) bytes, it takes 1 to \(limit)"),
        ] {
            do {
                _ = try Statex.parseAsRoot(words)
                Issue.record("\(words) was taken")
            } catch {
                #expect(Statex.message(for: error) == message)
            }
        }
        _ = try Statex.parseAsRoot(["pause", "--kind", "audio.v2"])
        _ = try Statex.parseAsRoot(["pause", "--tenant", "a b"])
        // Another program may have paused it: the protocol takes any name.
        _ = try Statex.parseAsRoot(["resume", "--kind", "a b"])
    }

    @Test func `every command that asks a scheduler finds it by its folder`() throws {
        let folder = ["--data-dir", "/srv/x"]
        let workers = try #require(Statex.parseAsRoot(["workers"] + folder) as? WorkersCommand)
        let pause = try #require(Statex.parseAsRoot(["pause", "--all"] + folder) as? PauseCommand)
        let jobs = try #require(Statex.parseAsRoot(["jobs"] + folder) as? JobsCommand)
        for loaded in [try workers.options.load(), try pause.options.load(), try jobs.journal.load()] {
            #expect(loaded.configuration.submitEndpoint == "ipc:///srv/x/run/submit.sock")
            #expect(loaded.configuration.dataDirectory == "/srv/x")
        }
    }

    @Test func `a traceparent that is none is refused with what it takes`() throws {
        let right = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        _ = try Statex.parseAsRoot(["submit", "--text", "a", "--traceparent", right])
        for wrong in ["", "00-1", right.uppercased(), right + "-x"] {
            do {
                _ = try Statex.parseAsRoot(["submit", "--text", "a", "--traceparent", wrong])
                Issue.record("\(wrong) was taken")
            } catch {
                #expect(Statex.message(for: error).hasPrefix("--traceparent takes version, trace id"))
            }
        }
    }

    @Test func `doctor says of a missing launcher that it is missing, and where it belongs`() throws {
        #expect(DoctorCommand.missing(launcher: "/bin/sh") == nil)
        let finding = try #require(DoctorCommand.missing(launcher: "/no/such/statex-launch"))
        #expect(finding.status == .error && finding.detail == "/no/such/statex-launch: No such file or directory")
        #expect(finding.remedy?.contains("beside statex") == true)
    }

    @Test func `simulate says how it ends`() {
        #expect(SimulateCommand.configuration.discussion.contains("Exits 1 with violations"))
    }
}
