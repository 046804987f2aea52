import Foundation
import Testing

@testable import StatexObjects

private let day: Int64 = 86_400_000_000

struct SweepPlanTests {
    private let now: Int64 = 1_000 * day

    private func object(_ byte: UInt8, daysAgo: Double) throws -> StoredObject {
        StoredObject(
            sha256: try SHA256.digest(of: [byte]), size: 1, putAt: now - Int64(daysAgo * Double(day)))
    }

    @Test func `what was put long ago goes, the oldest first`() throws {
        var plan = SweepPlan(now: now, keeps: 8 * day)
        let (old, older) = (try object(1, daysAgo: 9), try object(2, daysAgo: 30))
        for object in [old, older, try object(3, daysAgo: 7.9), try object(4, daysAgo: 0)] { plan.found(object) }
        #expect(plan.goes == [older, old])
    }

    @Test func `what was put within a day stays, however short objects are kept`() throws {
        for keeps in [Int64.min / 2, 0, 1, day] {
            var plan = SweepPlan(now: now, keeps: keeps)
            plan.found(try object(1, daysAgo: 0.99))
            plan.found(try object(2, daysAgo: 1.01))
            #expect(plan.goes.map(\.sha256) == [try SHA256.digest(of: [2])])
        }
    }

    @Test func `what the journal names stays: by its content in whatever store, and by its place`() throws {
        var plan = SweepPlan(now: now, keeps: day)
        let objects = try (1...4).map { try object(UInt8($0), daysAgo: 9) }
        objects.forEach { plan.found($0) }
        plan.named(try ObjectReference(scheme: .s3, path: objects[0].path, size: 1, sha256: objects[0].sha256))
        plan.named(try ObjectReference(path: "elsewhere/x", size: 1, sha256: objects[1].sha256))
        // Its sum is wrong, but this is the object that its reader would open.
        plan.named(try ObjectReference(path: objects[2].path, size: 1, sha256: SHA256.digest(of: [99])))
        #expect(plan.goes == [objects[3]])
    }
}

struct SweepTests {
    private let scratch: ScratchFolder
    private let folder: ObjectFolder
    /// Far ahead, so that what a test puts is old.
    private let future = Int64(time(nil)) * 1_000_000 + 10 * day

    init() throws {
        scratch = try ScratchFolder()
        folder = try ObjectFolder(root: scratch.path)
    }

    private func sweep(
        removing: Bool = true, at now: Int64? = nil, naming references: [ObjectReference] = []
    ) throws -> SweepReport {
        try folder.sweep(SweepPlan(now: now ?? future, keeps: 8 * day), removing: removing) {
            body throws(ObjectError) in
            body(Array("no reference".utf8))
            for reference in references { body(reference.text) }
        }
    }

    private func age(_ reference: ObjectReference, days: Int) {
        let then = timeval(tv_sec: time(nil) - days * 86_400, tv_usec: 0)
        #expect(utimes(scratch.path + "/" + reference.path, [then, then]) == 0)
    }

    @Test func `removes what nothing names, and counts`() throws {
        let (kept, gone) = (try folder.put([1, 2]), try folder.put([3, 4, 5]))
        let dry = try sweep(removing: false, naming: [kept])
        #expect(try folder.read(gone, limit: 3) == [3, 4, 5])
        let report = try sweep(naming: [kept])
        #expect(report == dry)
        #expect((report.objects, report.bytes, report.removed, report.removedBytes) == (2, 5, 1, 3))
        #expect(report.description == "\(scratch.path): 1 of 2 objects removed, 3 of 5 bytes")
        #expect(try folder.read(kept, limit: 2) == [1, 2])
        #expect(throws: ObjectError.notFound(gone.path)) { _ = try folder.open(gone) }
    }

    @Test func `what is young is not removed, and nothing is asked about it`() throws {
        let reference = try folder.put([1])
        let report = try folder.sweep(SweepPlan(now: Int64(time(nil)) * 1_000_000, keeps: day), removing: true) {
            _ throws(ObjectError) in Issue.record("the journal was asked")
        }
        #expect(report.removed == 0)
        #expect(try folder.read(reference, limit: 1) == [1])
    }

    @Test func `a put of what is there makes it young`() throws {
        let reference = try folder.put([1])
        age(reference, days: 30)
        #expect(try folder.put([1]) == reference)
        #expect(try sweep(at: Int64(time(nil)) * 1_000_000).removed == 0)
    }

    @Test func `what is put again after it was listed stays`() throws {
        let reference = try folder.put([1])
        age(reference, days: 30)
        let now = Int64(time(nil)) * 1_000_000
        let report = try folder.sweep(SweepPlan(now: now, keeps: 8 * day), removing: true) { _ throws(ObjectError) in
            _ = try folder.put([1])
        }
        #expect(report.removed == 0)
        #expect(try folder.read(reference, limit: 1) == [1])
    }

    @Test func `what people put there under names of their own stays`() throws {
        let sum = try SHA256.digest(of: [1]).hex
        let names = [
            "song.wav", "ab/song.wav", sum, "ab/" + sum, "4b/" + sum + ".bak", "deep/4b/" + sum,
            "4b/" + sum.uppercased(),
        ]
        for name in names { try scratch.write([1], to: name) }
        try FileManager.default.createDirectory(
            atPath: scratch.path + "/4b/" + sum, withIntermediateDirectories: true)
        #expect(symlink("/etc/hostname", scratch.path + "/4b/" + String(repeating: "4b", count: 32)) == 0)
        let report = try sweep()
        #expect(report.objects == 0)
        for name in names { #expect(FileManager.default.fileExists(atPath: scratch.path + "/" + name)) }
    }

    @Test func `a journal that does not answer, or stops in the middle, removes nothing`() throws {
        let references = try (0..<10).map { try folder.put([UInt8($0)]) }
        #expect(throws: ObjectError.unavailable("gone")) {
            _ = try folder.sweep(SweepPlan(now: future, keeps: day), removing: true) { body throws(ObjectError) in
                body(references[0].text)
                throw .unavailable("gone")
            }
        }
        for reference in references { try folder.verify(reference) }
    }
}
