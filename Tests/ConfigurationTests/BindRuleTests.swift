import Foundation
import Testing

@testable import StatexConfiguration

struct BindRuleTests {
    let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func reason(_ endpoint: String) -> String? {
        do throws(BindError) {
            try checkBind(endpoint: endpoint)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: ["tcp://127.0.0.1:7301", "tcp://127.255.3.4:1", "tcp://[::1]:65535", "tcp://[0:0:0:0:0:0:0:1]:80"])
    func `literal loopback is allowed`(endpoint: String) {
        #expect(reason(endpoint) == nil)
    }

    @Test(arguments: [
        "tcp://0.0.0.0:7301", "tcp://*:7301", "tcp://[::]:7301", "tcp://localhost:7301", "tcp://example.org:7301",
        "tcp://eth0:7301", "tcp://lo:7301",
        "tcp://10.0.0.1:7301", "tcp://128.0.0.1:7301", "tcp://126.255.255.255:7301", "tcp://127.1:7301",
        "tcp://0177.0.0.1:7301", "tcp://2130706433:7301",
        "tcp://0x7f.0.0.1:7301", "tcp://127.0.0.1.example.org:7301", "tcp://[::ffff:127.0.0.1]:7301",
        "tcp://[::ffff:0.0.0.0]:7301", "tcp://[::1%lo]:7301",
        "tcp://[::2]:7301", "tcp://::1:7301", "tcp://:7301", "tcp://7301", "tcp://", "tcp://127.0.0.1",
        "tcp:// 127.0.0.1:1", "tcp://127.0.0.1\u{0}:1",
        "tcp://127.0.0.1;10.0.0.1:1", "tcp://[]:1", "tcp://[127.0.0.1]:1",
    ])
    func `any other address is refused with the reason`(endpoint: String) {
        #expect(reason(endpoint)?.contains("without keys only a literal loopback address may be bound") == true)
    }

    private func reasonWithKeys(_ endpoint: String) -> String? {
        do throws(BindError) {
            try checkBind(endpoint: endpoint, hasKeys: true)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(arguments: [
        "tcp://0.0.0.0:7301", "tcp://10.0.0.1:7301", "tcp://127.0.0.1:7301", "tcp://[::]:1", "tcp://[fe80::1]:9",
    ])
    func `with keys any literal address is allowed`(endpoint: String) {
        #expect(reasonWithKeys(endpoint) == nil)
    }

    @Test(arguments: [
        "tcp://localhost:7301", "tcp://*:7301", "tcp://eth0:7301", "tcp://0.0.0.0", "tcp://0.0.0.0:0", "tcp://::1:7301",
        "tcp://[10.0.0.1]:1", "ipc://@statex", "ipc://relative/x",
    ])
    func `with keys names are refused, and sockets in no directory of ours`(endpoint: String) {
        #expect(reasonWithKeys(endpoint) != nil)
    }

    @Test(arguments: ["0", "65536", "-1", "*", "", "80x", "+80", "８０", "99999999999999999999"])
    func `the port must be a number that means one port`(port: String) {
        #expect(reason("tcp://127.0.0.1:\(port)")?.contains("from 1 to 65535") == true)
    }

    @Test(arguments: [
        "inproc://x", "udp://127.0.0.1:1", "pgm://x", "ws://127.0.0.1:1", "", "ipc:/x", "TCP://127.0.0.1:1",
        "127.0.0.1:1",
    ])
    func `other transports are refused`(endpoint: String) {
        #expect(reason(endpoint)?.contains("only ipc:// and tcp://") == true)
    }

    @Test(arguments: [
        "ipc://@statex", "ipc://", "ipc://*", "ipc://relative/x", "ipc:///x", "ipc:///a/", "ipc:///a\u{0}b/c",
    ])
    func `a socket must have an absolute path in a directory of its own`(endpoint: String) {
        #expect(reason(endpoint) != nil)
    }

    @Test func `a missing directory is created for us alone`() throws {
        let directory = scratch.path + "/run"
        #expect(reason("ipc://\(directory)/a.sock") == nil)
        var status = stat()
        #expect(stat(directory, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o700)
        #expect(reason("ipc://\(directory)/a.sock") == nil)
    }

    @Test(arguments: [0o755, 0o750, 0o701, 0o770, 0o777, 0o1700, 0o2700, 0o500] as [mode_t])
    func `a directory of any other mode is refused with what to do`(mode: mode_t) throws {
        let directory = scratch.path + "/run"
        try #require(mkdir(directory, 0o700) == 0 && chmod(directory, mode) == 0)
        #expect(reason("ipc://\(directory)/a.sock")?.contains("chmod 0700 \(directory)") == true)
    }

    @Test func `a link, a file and a directory below one that is missing are refused`() throws {
        try #require(mkdir(scratch.path + "/real", 0o700) == 0 && symlink("real", scratch.path + "/link") == 0)
        _ = try scratch.write("", to: "file")
        for name in ["link", "file", "missing/run"] {
            #expect(reason("ipc://\(scratch.path)/\(name)/a.sock") != nil, "\(name)")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "giving a directory away needs root"))
    func `a directory of another user is refused`() throws {
        let directory = scratch.path + "/run"
        try #require(mkdir(directory, 0o700) == 0 && chown(directory, 12_345, 12_345) == 0)
        #expect(reason("ipc://\(directory)/a.sock")?.contains("belongs to user 12345") == true)
    }

    @Test func `a directory below one that others may write to is refused, unless that is sticky`() throws {
        let open = scratch.path + "/open"
        try #require(mkdir(open, 0o700) == 0 && chmod(open, 0o777) == 0)
        #expect(reason("ipc://\(open)/run/a.sock")?.contains("others may write to \(open)") == true)
        try #require(chmod(open, 0o1777) == 0)
        #expect(reason("ipc://\(open)/run/a.sock") == nil)
    }

    @Test func `a path that no socket's address can hold is refused with the limit`() throws {
        let room = maximumSocketPath - scratch.path.utf8.count - "/run/".utf8.count
        #expect(reason("ipc://\(scratch.path)/run/" + String(repeating: "x", count: room)) == nil)
        #expect(
            reason("ipc://\(scratch.path)/run/" + String(repeating: "x", count: room + 1))?.contains("holds 107")
                == true)
    }
}
