import Foundation
import Testing

@testable import StatexObjects

struct ObjectFolderTests {
    let scratch: ScratchFolder
    let root: String
    let folder: ObjectFolder

    init() throws {
        scratch = try ScratchFolder()
        root = scratch.path + "/root"
        folder = try ObjectFolder(root: root)
    }

    private func contents(_ reference: ObjectReference) throws -> [UInt8] { try folder.read(reference, limit: 1 << 20) }

    @Test func `gives back what was put, under a name made of its content`() throws {
        let bytes = Array("hello".utf8)
        let reference = try folder.put(bytes)
        #expect(reference.size == 5)
        #expect(reference.path == "2c/" + reference.sha256.hex)
        #expect(try contents(reference) == bytes)
        try folder.verify(reference)
        let file = try folder.open(reference)
        #expect(fcntl(file.raw, F_GETFL) & O_ACCMODE == O_RDONLY)
        #expect(fcntl(file.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `a part is its bytes, of an object that is as its reference says`() throws {
        let bytes = (0..<70_001).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let reference = try folder.put(bytes)
        for range in [0..<1, 0..<70_001, 100..<70_000, 70_000..<70_001, 5..<5] {
            let part = UInt64(range.lowerBound)..<UInt64(range.upperBound)
            #expect(try folder.part(part, of: reference) == Array(bytes[range]))
            #expect(try Stores(folder).part(part, of: reference) == Array(bytes[range]))
        }
        let longer = try ObjectReference(path: reference.path, size: 70_002, sha256: reference.sha256)
        #expect(throws: ObjectError.size(expected: 70_002, found: 70_001)) { try folder.part(0..<1, of: longer) }
        #expect(throws: ObjectError.size(expected: 70_001, found: 70_001)) {
            try folder.part(70_000..<70_002, of: reference)
        }
    }

    @Test func `stores nothing, and more than one piece`() throws {
        for count in [0, 1, (256 << 10) - 1, 256 << 10, 700_001] {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            try scratch.write(bytes, to: "input")
            let copied = try folder.put(copyingFile: scratch.path + "/input", limit: 1 << 20)
            #expect(try copied == folder.put(bytes))
            #expect(try contents(copied) == bytes)
        }
    }

    @Test func `the same content twice is one file, and nothing temporary stays`() throws {
        let first = try folder.put([1, 2, 3])
        let second = try folder.put([1, 2, 3])
        #expect(first == second)
        #expect(try scratch.names(in: "root") == [String(first.path.prefix(2))])
        #expect(try scratch.names(in: "root/" + first.path.prefix(2)) == [first.sha256.hex])
    }

    @Test func `a cut or corrupted earlier file is not trusted`() throws {
        let reference = try folder.put([1, 2, 3])
        for broken: [UInt8] in [[], [1, 2], [1, 2, 4]] {
            try FileManager.default.removeItem(atPath: root + "/" + reference.path)
            try scratch.write(broken, to: "root/" + reference.path)
            #expect(throws: ObjectError.self) { try folder.verify(reference) }
            #expect(try folder.put([1, 2, 3]) == reference)
            try folder.verify(reference)
        }
    }

    @Test func `an object of another size is refused when opened, of another content when verified`() throws {
        let reference = try folder.put([1, 2, 3])
        try scratch.write([1, 2, 3, 4], to: "root/" + reference.path)
        #expect(throws: ObjectError.size(expected: 3, found: 4)) { _ = try folder.open(reference) }
        try scratch.write([9, 9, 9], to: "root/" + reference.path)
        let found = try SHA256.digest(of: [9, 9, 9])
        #expect(throws: ObjectError.checksum(expected: reference.sha256, found: found)) { try folder.verify(reference) }
        #expect(throws: ObjectError.checksum(expected: reference.sha256, found: found)) { try contents(reference) }
        #expect(throws: ObjectError.tooLarge(size: 3, limit: 2)) { try folder.read(reference, limit: 2) }
    }

    @Test func `a missing object is said to be missing`() throws {
        let digest = try SHA256.digest(of: [])
        let reference = try ObjectReference(path: "no/such", size: 0, sha256: digest)
        #expect(throws: ObjectError.notFound("no/such")) { _ = try folder.open(reference) }
    }

    @Test func `a folder and its parents are created where they are missing`() throws {
        let folder = try ObjectFolder(root: scratch.path + "/a/b/objects/")
        #expect(try folder.read(folder.put([1]), limit: 1) == [1])
        var status = stat()
        #expect(stat(scratch.path + "/a/b/objects", &status) == 0 && status.st_mode & 0o777 == 0o750)
        #expect(stat(scratch.path + "/a", &status) == 0 && status.st_mode & 0o777 == 0o711)
        try scratch.write([], to: "file")
        #expect(throws: ObjectError.self) { try ObjectFolder(root: scratch.path + "/file/objects") }
    }

    @Test func `opens regular files only, and does not wait for a FIFO's writer`() throws {
        let digest = try SHA256.digest(of: [])
        #expect(mkfifo(root + "/fifo", 0o600) == 0)
        #expect(mkdir(root + "/directory", 0o700) == 0)
        for name in ["fifo", "directory"] {
            let reference = try ObjectReference(path: name, size: 0, sha256: digest)
            #expect(throws: ObjectError.notRegular) { _ = try folder.open(reference) }
            #expect(throws: ObjectError.notRegular) { try folder.put(copyingFile: root + "/" + name, limit: 1 << 20) }
        }
    }

    @Test func `a folder that is a link is not followed when putting`() throws {
        let reference = try folder.put([7])
        let name = String(reference.path.prefix(2))
        try FileManager.default.removeItem(atPath: root + "/" + name)
        #expect(mkdir(scratch.path + "/elsewhere", 0o700) == 0)
        #expect(symlink(scratch.path + "/elsewhere", root + "/" + name) == 0)
        #expect(throws: ObjectError.self) { try folder.put([7]) }
        #expect(try scratch.names(in: "elsewhere").isEmpty)
        #expect(try scratch.names(in: "root") == [name])
    }

    @Test func `many threads put the same and other contents at once`() async throws {
        let folder = folder
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<20 {
                        let bytes = [UInt8(round), UInt8(worker % 2)]
                        let reference = try folder.put(bytes)
                        #expect(try folder.read(reference, limit: 2) == bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try !scratch.names(in: "root").contains { $0.hasPrefix(ObjectFolder.temporaryPrefix) })
    }

    @Test func `a file above the limit is refused before anything is copied, also when it grew`() throws {
        try scratch.write([1, 2, 3, 4], to: "input")
        #expect(throws: ObjectError.tooLarge(size: 4, limit: 3)) {
            try folder.put(copyingFile: scratch.path + "/input", limit: 3)
        }
        let grown = try FileDescriptor.open(scratch.path + "/input", O_RDONLY)
        #expect(throws: ObjectError.tooLarge(size: 4, limit: 3)) { try folder.put(copying: grown, limit: 3) }
        #expect(try scratch.names(in: "root").isEmpty)
    }

    @Test func `what a process left that died while writing goes; what is being written stays`() throws {
        for name in ["dead", "young", "locked"] { try scratch.write([1], to: "root/.incoming-" + name) }
        let writer = try FileDescriptor.open(root + "/.incoming-locked", O_RDWR)
        #expect(flock(writer.raw, LOCK_EX) == 0)
        for name in ["dead", "locked"] {
            let before = timeval(tv_sec: time(nil) - 120, tv_usec: 0)
            #expect(utimes(root + "/.incoming-" + name, [before, before]) == 0)
        }
        _ = try ObjectFolder(root: root)
        #expect(try scratch.names(in: "root").sorted() == [".incoming-locked", ".incoming-young"])
    }

    @Test func `a file that is being written is locked`() throws {
        let object = try folder.begin(limit: 10)
        let names = try scratch.names(in: "root")
        #expect(names.count == 1 && names[0].hasPrefix(ObjectFolder.temporaryPrefix))
        let other = try FileDescriptor.open(root + "/" + names[0], O_RDONLY)
        #expect(flock(other.raw, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        _ = try object.finish()
    }

    @Test func `what is written in pieces is there once it is finished, and then only`() throws {
        let object = try folder.begin(limit: 10)
        for piece in ["hello", "", " you"] {
            try piece.withBytes { bytes throws(ObjectError) in try object.write(bytes) }
        }
        let names = try scratch.names(in: "root")
        #expect(names.count == 1 && names[0].hasPrefix(ObjectFolder.temporaryPrefix))
        let reference = try object.finish()
        #expect(try reference == folder.put(Array("hello you".utf8)))
        #expect(try folder.read(reference, limit: 10) == Array("hello you".utf8))
        #expect(throws: ObjectError.self) { try object.finish() }
        #expect(throws: ObjectError.self) { try "!".withBytes { bytes throws(ObjectError) in try object.write(bytes) } }
        #expect(try folder.read(reference, limit: 10) == Array("hello you".utf8))
    }

    @Test func `one that is let go of, or grows beyond its limit, leaves nothing`() throws {
        do {
            let object = try folder.begin(limit: 4)
            try "1234".withBytes { bytes throws(ObjectError) in try object.write(bytes) }
        }
        #expect(try scratch.names(in: "root").isEmpty)
        do {
            let object = try folder.begin(limit: 4)
            #expect(throws: ObjectError.tooLarge(size: 5, limit: 4)) {
                try "12345".withBytes { bytes throws(ObjectError) in try object.write(bytes) }
            }
            #expect(throws: ObjectError.self) { try object.finish() }
        }
        #expect(try scratch.names(in: "root").isEmpty)
    }
}

extension String {
    fileprivate func withBytes(_ body: (UnsafeRawBufferPointer) throws(ObjectError) -> Void) throws(ObjectError) {
        let bytes = Array(utf8)
        try bytes.withUnsafeBufferPointer { bytes throws(ObjectError) in try body(UnsafeRawBufferPointer(bytes)) }
    }
}
