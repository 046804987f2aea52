import Foundation
import Synchronization
import Testing

@testable import StatexObjects

/// Paths that try to leave the root, in references and straight at the kernel's wall.
struct EvilPathTests {
    let scratch: ScratchFolder
    let root: String
    let folder: ObjectFolder
    private let secret = Array("secret".utf8)

    init() throws {
        scratch = try ScratchFolder()
        root = scratch.path + "/root"
        folder = try ObjectFolder(root: root)
        try scratch.write(secret, to: "secret")
        try scratch.write(Array("public".utf8), to: "root/a/b/inside")
        try #require(symlink("../secret", root + "/link") == 0)
        try #require(symlink(scratch.path, root + "/out") == 0)
        try #require(symlink("a", root + "/sideways") == 0)
        try #require(symlink("/proc/self/cwd", root + "/magic") == 0)
    }

    /// Parts that mean something to somebody, combined to paths of up to four.
    private var paths: [String] {
        let parts = [
            "..", ".", "", "a", "b", "inside", "secret", "root", "link", "out", "sideways", "magic", "%2e%2e", "%2e",
            "%2f", "..%2f",
            "%00", "..\u{0}", "\u{0}", "\\..\\", "..\\", "．．", "\u{202E}..", "..;", "....", ". .", " ..", "~", "$HOME",
            "proc", "file:", "C:",
        ]
        var paths = [
            "/", "//", "/etc/passwd", "//etc/passwd", "//host/share", "/proc/self/root/etc/passwd",
            "file:///etc/passwd",
        ]
        var level = parts
        for _ in 0..<2 {
            paths += level
            paths += level.map { "/" + $0 }
            level = level.flatMap { prefix in parts.map { prefix + "/" + $0 } }
        }
        paths += level.filter { $0.hasSuffix("secret") || $0.hasSuffix("inside") }
        for depth in 1...40 { paths.append(String(repeating: "../", count: depth) + "etc/passwd") }
        for length in [1024, 1025, 4096, 70_000] { paths.append(String(repeating: "x", count: length)) }
        return paths
    }

    @Test func `no reference opens anything outside of the root`() throws {
        let digest = try SHA256.digest(of: secret)
        var refused = 0
        var opened = 0
        for path in paths {
            do throws(ObjectError) {
                // "secret" and "public" are of one length, so that the size check hides nothing.
                let file = try folder.open(ObjectReference(path: path, size: 6, sha256: digest))
                opened += 1
                #expect(try text(of: file) == "public", "\(path.debugDescription)")
            } catch {
                refused += 1
            }
        }
        #expect(refused > 2000)
        #expect(opened > 0)
    }

    @Test func `the kernel's wall holds without the check of the text`() throws {
        let directory = try FileDescriptor.open(root, Flags.directory)
        var opened = 0
        for path in paths {
            guard let file = try? directory.openBeneath(path, O_RDONLY | O_NONBLOCK),
                (try? file.regularFileSize()) != nil
            else { continue }
            opened += 1
            #expect(try text(of: file) == "public", "\(path.debugDescription)")
        }
        #expect(opened > 0)
    }

    @Test func `a link that another thread swaps in a loop is never followed`() throws {
        let digest = try SHA256.digest(of: secret)
        // Both names change between an honest directory or file and a link to the outside.
        try scratch.write(Array("public".utf8), to: "root/flip/secret")
        try scratch.write(Array("public".utf8), to: "root/file")
        try #require(symlink(scratch.path, root + "/flip-link") == 0)
        try #require(symlink("../secret", root + "/file-link") == 0)
        var opened = 0
        var refused = 0
        let swapper = SwapThread(root: root)
        defer { swapper.stop() }
        for round in 0..<50_000 {
            do throws(ObjectError) {
                let path = round % 2 == 0 ? "flip/secret" : "file"
                let file = try folder.open(ObjectReference(path: path, size: 6, sha256: digest))
                opened += 1
                if try text(of: file) != "public" { Issue.record("\(path) led outside") }
            } catch {
                refused += 1
            }
        }
        #expect(opened > 0)
        #expect(refused > 0)
    }

    private func text(of file: borrowing FileDescriptor) throws(ObjectError) -> String {
        var bytes: [UInt8] = []
        try file.readPieces { piece throws(ObjectError) in bytes.append(contentsOf: piece) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Exchanges an honest entry and a link, over and over, until it is told to stop.
private final class SwapThread: Sendable {
    private let stopped = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    init(root: String) {
        Thread.detachNewThread { [self] in
            while !stopped.load(ordering: .relaxed) {
                for name in ["flip", "file"] {
                    rename("\(root)/\(name)", "\(root)/\(name)-aside")
                    rename("\(root)/\(name)-link", "\(root)/\(name)")
                    rename("\(root)/\(name)", "\(root)/\(name)-link")
                    rename("\(root)/\(name)-aside", "\(root)/\(name)")
                }
            }
            ended.signal()
        }
    }

    func stop() {
        stopped.store(true, ordering: .relaxed)
        ended.wait()
    }
}
