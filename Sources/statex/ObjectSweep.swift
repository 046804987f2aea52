// The wiring of a sweep: the stores of the configuration, and the journal that says what is wanted.

import CLinux
import Glibc
import StatexClient
import StatexConfiguration
import StatexJournal
import StatexObjects
import StatexPostgres
import StatexS3

struct ObjectSweep {
    let url: String
    let roots: [String]
    let s3: S3Settings
    let keeps: Int64

    init(url: String, _ configuration: Configuration) {
        self.url = url
        roots = configuration.objectRoots
        s3 = S3Settings(S3Access(configuration.s3))
        keeps = Int64(configuration.objectRetentionDays) * 86_400_000_000
    }

    /// - Returns: what became of each place, in the order of the configuration.
    func run(removing: Bool) throws(ObjectError) -> [SweepReport] {
        // A folder that is not there holds nothing, and is not made for that.
        let present = roots.filter { $0.hasPrefix("s3://") || access($0, F_OK) == 0 }
        guard let stores = try Stores.open(present, s3) else { return [] }
        var reports: [SweepReport] = []
        for place in stores.places { reports.append(try run(place, removing: removing)) }
        return reports
    }

    private func run(_ place: any ObjectPlace, removing: Bool) throws(ObjectError) -> SweepReport {
        let now = try journal { named throws(PostgresError) in try named.soberNow() }
        return try place.sweep(SweepPlan(now: now, keeps: keeps), removing: removing) { body throws(ObjectError) in
            try journal { named throws(PostgresError) in try named.forEach(body) }
        }
    }

    /// With a connection for no longer than it is used: a place may take minutes to list.
    private func journal<Value>(
        _ body: (borrowing NamedObjects) throws(PostgresError) -> Value
    ) throws(ObjectError) -> Value {
        do throws(PostgresError) { return try body(try NamedObjects(url: url)) } catch {
            throw .unavailable("the journal says not what is wanted: \(error)")
        }
    }
}

/// Of a scheduler: a lease time after it started, and a day after each sweep. What fails is tried again an hour later.
struct DailySweep {
    private let sweep: ObjectSweep
    private var isFirst = true
    private let leaseTime: Duration
    private var next: Int64 = 0
    private var said = ""

    init(url: String, _ configuration: Configuration) {
        sweep = ObjectSweep(url: url, configuration)
        leaseTime = configuration.leaseTime
    }

    mutating func run() {
        // However long no scheduler was there: clients whose objects are put are back within seconds, and a worker
        // whose result is put names it within a lease time, or never.
        if isFirst { sleep(UInt32(clamping: leaseTime.components.seconds + 1)) }
        isFirst = false
        let now = clinux_monotonic_nanoseconds()
        guard now >= next else { return }
        do throws(ObjectError) {
            for report in try sweep.run(removing: true) where report.removed > 0 {
                complain("objects: \(report)", .info)
            }
            next = now + 86_400_000_000_000
            said = ""
        } catch {
            next = now + 3_600_000_000_000
            // Said once, until it is another.
            if error.description != said { complain("objects: not swept now, it is tried again: \(error)") }
            said = error.description
        }
    }
}
