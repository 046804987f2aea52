import Foundation
import Testing

@testable import StatexObjects

struct StoresTests {
    private let scratch: ScratchFolder

    init() throws { scratch = try ScratchFolder() }

    private func folder(_ name: String) throws -> ObjectFolder { try ObjectFolder(root: scratch.path + "/" + name) }

    @Test func `the first takes what is new, and all are looked into, in order`() throws {
        let (first, second) = (try folder("first"), try folder("second"))
        let old = try second.put([5])
        let stores = Stores(first, [second])
        #expect(try stores.read(old, limit: 1) == [5])
        let new = try stores.put([6])
        #expect(throws: ObjectError.notFound(new.path)) { _ = try second.open(new) }
        #expect(try stores.read(new, limit: 1) == [6])
        #expect(try stores.put(copyingFile: scratch.path + "/second/" + old.path, limit: 1) == old)
        #expect(try first.read(old, limit: 1) == [5])
    }

    @Test func `what is nowhere is said to be missing, what is broken is not looked for elsewhere`() throws {
        let (first, second) = (try folder("first"), try folder("second"))
        let stores = Stores(first, [second])
        let reference = try second.put([1, 2])
        let nowhere = try ObjectReference(path: "a/b", size: 1, sha256: reference.sha256)
        #expect(throws: ObjectError.notFound("a/b")) { _ = try stores.open(nowhere) }
        try scratch.write([1], to: "first/" + reference.path)
        #expect(throws: ObjectError.size(expected: 2, found: 1)) { _ = try stores.open(reference) }
    }

    @Test func `a job's people learn what failed, and neither where a store is nor what it says`() {
        let words = "S3 PUT s3://bucket/a at http://10.0.0.1:9000: 403 AccessDenied, 'arn:aws:iam::1'"
        #expect(ObjectError.refused(words, status: 403).outline == "the object store refused it (403)")
        #expect(ObjectError.refused(words).outline == "the object store refused it")
        #expect(ObjectError.unavailable(words, status: 503).outline == "the object store is away, or too busy (503)")
        let full = ObjectError.system("opening '/srv/objects'", ENOSPC)
        #expect(full.outline == "the object store failed: No space left on device")
        #expect(ObjectError.tooLarge(size: 2, limit: 1).outline == ObjectError.tooLarge(size: 2, limit: 1).description)
    }

    @Test func `an object of a store that is not configured names the key to set`() throws {
        let stores = Stores(try folder("first"))
        let reference = try ObjectReference(
            scheme: .s3, path: "a/b", size: 1, sha256: SHA256.digest(of: []))
        let error = try #require(throws: ObjectError.self) { _ = try stores.open(reference) }
        #expect(error.description.contains("s3://BUCKET") && error.description.contains("key `objects`"))
    }
}

struct ObjectLocationTests {
    @Test(arguments: [
        "/srv/objects", "relative", "s3://abc", "s3://my-bucket.x/a/b_c-D.1", "s3:/no", "S3://UPPER",
    ])
    func `reads and writes the same text`(text: String) throws {
        #expect(try ObjectLocation(text).text == text)
    }

    @Test func `a bucket and its prefix are told apart`() throws {
        #expect(try ObjectLocation("s3://abc") == .bucket("abc", prefix: ""))
        #expect(try ObjectLocation("s3://abc/") == .bucket("abc", prefix: ""))
        #expect(try ObjectLocation("s3://abc/d/e/") == .bucket("abc", prefix: "d/e"))
        #expect(try ObjectLocation("/a") == .folder("/a"))
    }

    @Test(arguments: [
        "", "s3://", "s3://ab", "s3://UPPER", "s3://a_b", "s3:///prefix", "s3://-abc", "s3://.abc",
        "s3://" + String(repeating: "a", count: 64), "s3://abc//", "s3://abc/a//b", "s3://abc/../x", "s3://abc/./x",
        "s3://abc/a b", "s3://abc/a?b", "s3://abc/ä", "s3://abc/" + String(repeating: "a", count: 257),
        "s3://key:secret@abc", "a\u{0}b",
    ])
    func `refuses any other, and says what it should be`(text: String) {
        let error = #expect(throws: ObjectError.self) { try ObjectLocation(text) }
        #expect(error.map { !$0.description.isEmpty } == true)
    }
}
