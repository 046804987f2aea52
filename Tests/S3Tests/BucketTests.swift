import Foundation
import S3TestServer
import StatexObjects
import Testing

@testable import StatexS3

struct BucketTests {
    private let server: S3TestServer

    init() throws { server = try S3TestServer() }

    private func contents(_ bucket: S3Bucket, _ reference: ObjectReference) throws -> [UInt8] {
        try bucket.read(reference, limit: 64 << 20)
    }

    @Test func `what is put is named by its content, and read back`() throws {
        let bucket = try server.bucket(prefix: "statex/objects")
        let reference = try bucket.put(Array("hello".utf8))
        #expect(
            String(decoding: reference.text, as: UTF8.self)
                == #"{"url":"s3:2c/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","size":5,"#
                + #""sha256":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}"#)
        #expect(try server.keys() == ["statex/objects/" + reference.path])
        #expect(try contents(bucket, reference) == Array("hello".utf8))
        try bucket.verify(reference)
        let file = try bucket.open(reference)
        #expect(fcntl(file.raw, F_GETFL) & O_ACCMODE == O_RDONLY)
        #expect(fcntl(file.raw, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test(arguments: [0, 1, (256 << 10) - 1, 256 << 10, 700_001, 20 << 20])
    func `nothing, a byte and more than one piece survive`(count: Int) throws {
        let bucket = try server.bucket()
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 8) }
        let reference = try bucket.put(copyingFile: server.write(bytes, to: "input"), limit: 64 << 20)
        #expect(try contents(bucket, reference) == bytes)
    }

    @Test func `of a part nothing else is sent`() throws {
        let bucket = try server.bucket()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let reference = try bucket.put(bytes)
        for range in [0..<1, 0..<3_000_000, 100..<70_100, 2_999_999..<3_000_000] {
            try server.order()
            #expect(
                try bucket.part(UInt64(range.lowerBound)..<UInt64(range.upperBound), of: reference)
                    == Array(bytes[range]))
            #expect(try server.requests() == ["GET /objects/" + reference.path])
            #expect(try server.sent() == range.count)
        }
        try server.order()
        #expect(try bucket.part(7..<7, of: reference) == [])
        #expect(try server.requests() == ["HEAD /objects/" + reference.path] && server.sent() == 0)
    }

    @Test func `a part of what is not as its reference says is refused`() throws {
        let bucket = try server.bucket()
        try server.put("12345", at: "objects/mine")
        let sum = try SHA256.digest(of: Array("12345".utf8))
        for size in [4, 6] as [UInt64] {
            let reference = try ObjectReference(scheme: .s3, path: "mine", size: size, sha256: sum)
            for range in [0..<2, 3..<4, 1..<1] as [Range<UInt64>] {
                #expect(throws: ObjectError.size(expected: size, found: 5)) { try bucket.part(range, of: reference) }
            }
        }
        let gone = try ObjectReference(scheme: .s3, path: "gone", size: 5, sha256: sum)
        for range in [0..<2, 1..<1] as [Range<UInt64>] {
            #expect(throws: ObjectError.notFound("s3://objects/gone")) { try bucket.part(range, of: gone) }
        }
    }

    @Test func `what is there is not sent again`() throws {
        let bucket = try server.bucket()
        let reference = try bucket.put([1, 2, 3])
        try server.order()
        #expect(try bucket.put([1, 2, 3]) == reference)
        #expect(try server.requests() == ["HEAD /objects/" + reference.path])
    }

    @Test func `what is there and old becomes new again without being sent`() throws {
        let bucket = try server.bucket()
        let reference = try bucket.put([1, 2, 3])
        try server.age("objects/" + reference.path, days: 20)
        try server.order()
        #expect(try bucket.put([1, 2, 3]) == reference)
        let path = "/objects/" + reference.path
        #expect(try server.requests() == ["HEAD \(path)", "PUT \(path) copy", "HEAD \(path)"])
        let found = try #require(try bucket.look(reference.path))
        #expect(found.age < 3_600_000_000)
        #expect(try contents(bucket, reference) == [1, 2, 3])
    }

    @Test func `an old one whose copy fails is sent`() throws {
        let bucket = try server.bucket { $0.patience.attempts = 1 }
        let reference = try bucket.put([1, 2, 3])
        try server.age("objects/" + reference.path, days: 20)
        try server.order(["none", "error"])
        #expect(try bucket.put([1, 2, 3]) == reference)
        let path = "/objects/" + reference.path
        #expect(try server.requests() == ["HEAD \(path)", "PUT \(path) copy", "PUT \(path)"])
    }

    @Test func `another size under the same name is replaced`() throws {
        let bucket = try server.bucket()
        let digest = try SHA256.digest(of: [1, 2, 3])
        try server.put("cut", at: "objects/" + StoredObject.path(of: digest) + "x")
        try server.put("cu", at: "objects/" + StoredObject.path(of: digest))
        #expect(try contents(bucket, bucket.put([1, 2, 3])) == [1, 2, 3])
    }

    @Test func `a path of somebody else's making is read, whatever is in it`() throws {
        let bucket = try server.bucket(prefix: "in")
        let path = "a b/ä+&?%41=#~'(1)*.wav"
        try server.put("sound", at: "objects/in/" + path)
        let reference = try ObjectReference(
            scheme: .s3, path: path, size: 5, sha256: SHA256.digest(of: Array("sound".utf8)))
        #expect(try contents(bucket, reference) == Array("sound".utf8))
    }

    @Test func `another size or content than its reference says is refused`() throws {
        let bucket = try server.bucket()
        try server.put("sound", at: "objects/x")
        let digest = try SHA256.digest(of: Array("sound".utf8))
        for size in [4, 6] as [UInt64] {
            let reference = try ObjectReference(scheme: .s3, path: "x", size: size, sha256: digest)
            #expect(throws: ObjectError.size(expected: size, found: 5)) { _ = try bucket.open(reference) }
        }
        let right = try ObjectReference(scheme: .s3, path: "x", size: 5, sha256: digest)
        try server.order(["changed"])
        #expect(
            throws: ObjectError.checksum(
                expected: digest, found: try SHA256.digest(of: Array("sound".utf8).map { $0 ^ 1 }))
        ) { _ = try bucket.open(right) }
    }

    @Test func `a missing object is said to be missing, by bucket and key`() throws {
        let bucket = try server.bucket(prefix: "p")
        let reference = try ObjectReference(scheme: .s3, path: "no/such", size: 0, sha256: SHA256.digest(of: []))
        #expect(throws: ObjectError.notFound("s3://objects/p/no/such")) { _ = try bucket.open(reference) }
    }

    @Test func `what is above a limit is refused before anything is sent`() throws {
        let bucket = try server.bucket()
        try server.order()
        let input = try server.write([1, 2, 3, 4], to: "input")
        #expect(throws: ObjectError.tooLarge(size: 4, limit: 3)) { try bucket.put(copyingFile: input, limit: 3) }
        let grown = try FileDescriptor.open(input, O_RDONLY)
        #expect(throws: ObjectError.tooLarge(size: 4, limit: 3)) { try bucket.put(copying: grown, limit: 3) }
        #expect(try server.requests() == [])
    }

    @Test func `nothing temporary stays, whatever became of it`() throws {
        let bucket = try server.bucket { $0.patience.attempts = 1 }
        let reference = try bucket.put([1])
        try bucket.verify(reference)
        try server.order(["drop", "drop"])
        #expect(throws: ObjectError.self) { try bucket.put([2]) }
        #expect(throws: ObjectError.self) { try bucket.verify(reference) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: server.directory) == ["credentials"])
    }

    @Test func `many threads put and read at once`() async throws {
        let bucket = try server.bucket()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<5 {
                        let bytes = [UInt8](repeating: UInt8(round), count: 100_000 + worker % 2)
                        let read = try bucket.read(bucket.put(bytes), limit: 1 << 20)
                        #expect(read == bytes)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try server.keys().count == 10)
    }

    @Test func `the bucket may stand in front of the host`() throws {
        let bucket = try server.bucket {
            $0.endpoint = "http://localhost:\(server.start.port)"
            $0.addressing = .host
        }
        // moto knows a bucket by its host only below amazonaws.com: what is seen is that it was asked there.
        let error = #expect(throws: ObjectError.self) { try bucket.check() }
        #expect("\(try #require(error))".contains("http://objects.localhost:\(server.start.port)"))
    }
}
