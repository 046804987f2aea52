import Foundation
import StatexZeroMQ
import Testing

@testable import StatexKeys

@Suite final class KeyFileTests {
    private let folder = FileManager.default.temporaryDirectory.appending(
        path: "statex-keys-\(UInt64.random(in: 0 ... .max))"
    ).path

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }
    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private func reason(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    private func write(_ name: String = "w", _ role: KeyRole? = .worker, _ tenants: [String] = []) throws -> (
        key: String, public: String, pair: KeyPair
    ) {
        let pair = try KeyPair.make()
        let paths = try KeyFile(name: name, role: role, tenants: tenants, pair).write(to: folder + "/keys")
        return (paths.key, paths.public, pair)
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test func `a pair is written and read again: the secret for us alone, the rest for everybody`() throws {
        let made = try write("alice", .client, ["acme", "a = \"b\""])
        #expect(mode(made.key) == 0o600 && mode(made.public) == 0o644 && mode(folder + "/keys") == 0o700)
        let (file, pair) = try KeyFile.readSecret(made.key)
        #expect(file.name == "alice" && file.role == .client && file.tenants == ["acme", "a = \"b\""])
        #expect(pair.publicKey == made.pair.publicKey && pair.secretKey.text == made.pair.secretKey.text)
        #expect(pair.isWhole)
        let shared = try KeyFile.readPublic(made.public)
        #expect(shared.publicKeys == [made.pair.publicKey] && shared.secretKey == nil && shared.role == .client)
        #expect(try !String(contentsOfFile: made.public, encoding: .utf8).contains(made.pair.secretKey.text))
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: folder + "/keys").sorted() == [
                "alice.key", "alice.pub",
            ])
    }

    @Test func `the folder of keys is made with all that it lies in`() throws {
        let pair = try KeyPair.make()
        let deep = folder + "/var/lib/statex/keys"
        _ = try KeyFile(name: "w", role: .worker, tenants: [], pair).write(to: deep)
        #expect(mode(deep) == 0o700 && mode(folder + "/var/lib") == 0o755)
        try Data().write(to: URL(fileURLWithPath: folder + "/file"))
        #expect(
            reason { _ = try KeyFile(name: "w", role: .worker, tenants: [], pair).write(to: folder + "/file/a/keys") }
                .contains("Not a directory"))
    }

    @Test func `a key that is there is not written over, and half a pair is not left`() throws {
        _ = try write()
        #expect(reason { _ = try write() }.contains("is there already"))
        try Data().write(to: URL(fileURLWithPath: folder + "/keys/x.pub"))
        #expect(reason { _ = try write("x") }.contains("x.pub is there already"))
        #expect(!FileManager.default.fileExists(atPath: folder + "/keys/x.key"))
    }

    @Test func `a file whose mode is mended is another one, though nobody wrote to it`() throws {
        let key = try write().key
        let stamp = try #require(FileStamp(key))
        #expect(FileStamp(key) == stamp)
        chmod(key, 0o644)
        #expect(FileStamp(key) != nil && FileStamp(key) != stamp)
        #expect(FileStamp(key + ".none") == nil)
    }

    @Test(arguments: [0o640, 0o604, 0o644, 0o400 | 0o040] as [mode_t])
    func `a secret that others may read is refused with what to do`(mode: mode_t) throws {
        let made = try write()
        chmod(made.key, mode)
        #expect(reason { _ = try KeyFile.readSecret(made.key) }.contains("run: chmod 0600 \(made.key)"))
    }

    @Test(arguments: [0o620, 0o602, 0o666] as [mode_t])
    func `a file that others may write is refused`(mode: mode_t) throws {
        let made = try write()
        for path in [made.key, made.public] { chmod(path, mode) }
        #expect(reason { _ = try KeyFile.readSecret(made.key) }.contains("others may write there"))
        #expect(reason { _ = try KeyFile.readPublic(made.public) }.contains("others may write there"))
    }

    @Test func `the wrong one of the two files is named`() throws {
        let made = try write()
        #expect(reason { _ = try KeyFile.readSecret(folder + "/none.key") }.contains("No such file"))
        #expect(reason { _ = try KeyFile.readPublic(made.key) }.contains("it holds a secret-key"))
        chmod(made.public, 0o600)
        #expect(reason { _ = try KeyFile.readSecret(made.public) }.contains("it has no secret-key"))
        #expect(reason { _ = try KeyFile.readSecret(folder) }.contains("not a regular file"))
    }

    @Test func `a secret shows itself in no text`() throws {
        let pair = try KeyPair.make()
        #expect("\(pair.secretKey) \(pair)".contains(pair.secretKey.text) == false)
    }

    @Test func `a list is changed whole, by one after the other`() async throws {
        let path = folder + "/keys/allowed"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<20 {
                group.addTask {
                    let entry = try AllowedKey(
                        key: KeyPair.make().publicKey, role: .worker, tenants: .all, name: "w\(number)")
                    try AllowList.change(path) { (list) throws(KeyError) in try list.allow(entry) }
                }
            }
            try await group.waitForAll()
        }
        #expect(try AllowList.read(path).all.count == 20)
        #expect(mode(path) == 0o600)
        #expect(reason { _ = try AllowList.read(folder + "/no/allowed") }.contains("No such file"))
        #expect(try AllowList.read(folder + "/no/allowed", missing: AllowList()).all.isEmpty)
    }

    @Test func `of two keys of a scheduler the next is tried until one is answered`() throws {
        let (own, server, next) = (try write(), try write("server", nil), try write("next", nil))
        let both =
            try String(contentsOfFile: server.public, encoding: .utf8)
            + "    public-key = \"\(next.pair.publicKey)\"\n"
        try both.write(toFile: server.public, atomically: true, encoding: .utf8)
        var keys = PeerKeys(own: own.key, scheduler: server.public)
        let (first, second) = (server.pair.publicKey, next.pair.publicKey)
        #expect(try keys.next().scheduler == first)
        #expect(try keys.next().scheduler == second)
        #expect(try keys.next().scheduler == first)
        #expect(try keys.next().scheduler == second)
        keys.welcomed()
        #expect(try keys.next().scheduler == second)
        // The files are read each time.
        try "public-key = \(first)\n".write(toFile: server.public, atomically: true, encoding: .utf8)
        #expect(try keys.next().scheduler == first)
    }

    @Test func `one of a peer's two files without the other is an error`() throws {
        let none = try PeerKeys(own: nil, scheduler: nil)
        #expect(none == nil)
        #expect(reason { _ = try PeerKeys(own: "a", scheduler: nil) }.contains("scheduler's public key"))
        #expect(reason { _ = try PeerKeys(own: nil, scheduler: "a") }.contains("a key of one's own"))
    }
}
