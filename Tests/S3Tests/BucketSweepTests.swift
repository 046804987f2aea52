import Foundation
import S3TestServer
import StatexObjects
import Testing

@testable import StatexS3

private let day: Int64 = 86_400_000_000

struct BucketSweepTests {
    private let server: S3TestServer
    private var now: Int64 { Int64(time(nil)) * 1_000_000 }

    init() throws { server = try S3TestServer() }

    @Test func `removes what is old and not named, under its own prefix alone`() throws {
        let bucket = try server.bucket(prefix: "statex")
        let (kept, gone, young) = (try bucket.put([1]), try bucket.put([2, 2]), try bucket.put([3, 3, 3]))
        let others = [
            "statex/song.wav", "statex/ab/" + kept.sha256.hex, gone.path, "statex/x/" + gone.path,
            "statexx/" + gone.path,
        ]
        for key in others { try server.put("x", at: "objects/" + key) }
        for key in others + [kept, gone].map({ "statex/" + $0.path }) { try server.age("objects/" + key, days: 9) }
        let plan = SweepPlan(now: now, keeps: 8 * day)
        for isDry in [true, false] {
            let report = try bucket.sweep(plan, removing: !isDry) { body throws(ObjectError) in body(kept.text) }
            #expect(report.location == "s3://objects/statex")
            #expect((report.objects, report.bytes, report.removed, report.removedBytes) == (3, 6, 1, 2))
            #expect(try server.keys().contains("statex/" + gone.path) == isDry)
        }
        #expect(try server.keys() == (others + [kept, young].map { "statex/" + $0.path }).sorted())
    }

    @Test func `what is put again after it was listed stays`() throws {
        let bucket = try server.bucket()
        let reference = try bucket.put([1])
        try server.age("objects/" + reference.path, days: 9)
        let report = try bucket.sweep(SweepPlan(now: now, keeps: 8 * day), removing: true) { _ throws(ObjectError) in
            _ = try bucket.put([1])
        }
        #expect(report.removed == 0)
        #expect(try bucket.read(reference, limit: 1) == [1])
    }

    @Test func `a list of several pages is read to its end`() throws {
        let bucket = try server.bucket(prefix: "a-b")
        for number in 0..<2_100 {
            let sum = try SHA256.digest(of: Array("\(number)".utf8))
            try server.put("\(number)", at: "objects/a-b/" + StoredObject.path(of: sum))
        }
        // What XML cannot say is somebody else's.
        try server.put("x", at: "objects/a-b/00/\u{1}&<é 100%")
        var seen = Set<SHA256Digest>()
        try bucket.forEachObject { object throws(ObjectError) in
            seen.insert(object.sha256)
            #expect(abs(object.putAt - now) < 60_000_000)
        }
        #expect(seen.count == 2_100)
    }

    @Test func `a list that is none ends the sweep`() throws {
        let bucket = try server.bucket { $0.patience.attempts = 1 }
        let reference = try bucket.put([1])
        try server.age("objects/" + reference.path, days: 9)
        for fault in ["cut", "changed", "drop", "error"] {
            try server.order([fault])
            #expect(throws: ObjectError.self) {
                _ = try bucket.sweep(SweepPlan(now: now, keeps: 8 * day), removing: true) { _ throws(ObjectError) in }
            }
        }
        try bucket.verify(reference)
    }
}
