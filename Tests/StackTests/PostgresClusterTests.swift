import Foundation
import Testing

@testable import StatexStack

struct PostgresClusterTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func reason(_ directory: String, user: String? = nil, binaries: String? = nil) -> String? {
        do throws(StackError) {
            _ = try PostgresCluster(dataDirectory: directory, user: user, binaries: binaries)
            return nil
        } catch {
            return error.description
        }
    }

    @Test func `a path too long for the socket is refused with the room that there is`() {
        let long = scratch.path + "/" + String(repeating: "x", count: 80)
        #expect(reason(long)?.contains("leaves room for 84") == true, "\(reason(long) ?? "")")
    }

    @Test(arguments: ["a'b", "a,b", "a\"b", "a\\b", "a\nb"])
    func `a path that would end a setting or a URL is refused`(name: String) {
        #expect(reason(scratch.path + "/" + name)?.contains("must not contain") == true)
    }

    @Test(.enabled(if: geteuid() == 0, "only root drops to another user"))
    func `a directory that the ordinary user cannot reach is refused, and the parent named that blocks`() throws {
        try makePath(scratch.path + "/a/closed", mode: 0o755)
        try #require(chmod(scratch.path + "/a/closed", 0o700) == 0)
        try makePath(scratch.path + "/a/closed/b/data", mode: 0o755)
        let text = try #require(reason(scratch.path + "/a/closed/b/data"))
        #expect(text.contains("may not enter \(scratch.path)/a/closed."))
        #expect(text.contains("chmod o+x \(scratch.path)/a/closed"))
    }

    @Test(.enabled(if: geteuid() == 0, "only root drops to another user"))
    func `a user that does not exist, and root, are refused`() {
        #expect(reason(scratch.path, user: "no-such-user-here")?.contains("there is no user no-such-user-here") == true)
        #expect(reason(scratch.path, user: "root")?.contains("refuses to run as root") == true)
    }

    @Test func `data of another version is refused with what to do`() throws {
        let installed = [
            PostgresInstallation(major: 17, directory: "/x/17/bin"),
            PostgresInstallation(major: 15, directory: "/x/15/bin"),
        ]
        #expect(try PostgresInstallation.choose(forDataOfMajor: nil, among: installed).major == 17)
        #expect(try PostgresInstallation.choose(forDataOfMajor: 15, among: installed).major == 15)
        let error = #expect(throws: StackError.self) {
            try PostgresInstallation.choose(forDataOfMajor: 16, among: installed)
        }
        #expect(
            error?.description.contains("written by Postgres 16, installed here is 17, 15: install postgresql-16")
                == true)
        #expect(throws: StackError.self) { try PostgresInstallation.choose(forDataOfMajor: nil, among: []) }
        let old = [PostgresInstallation(major: 13, directory: "/x/13/bin")]
        #expect(throws: StackError.self) { try PostgresInstallation.choose(forDataOfMajor: nil, among: old) }
    }

    @Test func `finds the versions under a directory, newest first, and skips what is no version`() throws {
        for name in ["9", "15", "17", "common"] {
            try makePath("\(scratch.path)/\(name)/bin", mode: 0o755)
            guard name != "9" else { continue }
            for program in ["postgres", "initdb"] {
                try replaceFile("\(scratch.path)/\(name)/bin/\(program)", with: [], mode: 0o755)
            }
        }
        #expect(PostgresInstallation.installed(under: scratch.path).map(\.major) == [17, 15])
        #expect(PostgresInstallation.installed(under: scratch.path + "/none").isEmpty)
    }

    @Test func `a directory that is no data of Postgres is refused`() throws {
        try makePath(scratch.path + "/postgres/data", mode: 0o700)
        #expect(reason(scratch.path)?.contains("is no data directory of Postgres") == true)
    }
}
