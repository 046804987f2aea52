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
