import StatexPostgres

/// What retention says it took, for `statex verify`.
///
/// Commits that retention touched cannot be added up one by one any more; all of them together can.
struct RetirementLedger {
    /// The chain's first commit that is kept; 0: all of them are.
    let firstBatch: Int64
    /// Later commits hold every row that they wrote.
    let throughBatch: Int64
    /// Jobs, leases, outcomes, results: that left, and that commits which left said they hold.
    private let left: [Int64]
    private let said: [Int64]

    init(reading connection: borrowing Connection) throws(PostgresError) {
        let sums = [
            "jobs", "leases", "outcomes", "results", "said_jobs", "said_leases", "said_outcomes", "said_results",
        ]
        let rows = try connection.query(
            """
            SELECT coalesce(max(first_batch), 0), coalesce(max(through_batch), 0),
                   \(sums.map { "coalesce(sum(\($0)), 0)" }.joined(separator: ", ")) FROM statex.retired
            """, doing: "read what retention took")
        firstBatch = rows.integer(0, 0)
        throughBatch = rows.integer(0, 1)
        left = (2..<6).map { rows.integer(0, $0) }
        said = (6..<10).map { rows.integer(0, $0) }
    }

    /// - Parameter report: with every row that is there counted.
    func verify(on connection: borrowing Connection, into report: inout VerifyReport) throws(PostgresError) {
        guard throughBatch > 0 || firstBatch > 0 else { return }
        let names = ["jobs", "leases", "outcomes", "results"]
        let rows = try connection.query(
            "SELECT \(names.map { "coalesce(sum(\($0)), 0)" }.joined(separator: ", ")) FROM statex.commits",
            doing: "verify retention")
        let there = [report.jobs, report.leases, report.outcomes, report.results]
        for (index, name) in names.enumerated() {
            let says = rows.integer(0, index) + said[index]
            let holds = Int64(there[index]) + left[index]
            if says != holds {
                report.violation(
                    "retention: all commits say \(says) \(name); \(there[index]) are there and \(left[index]) left")
            }
        }
    }
}
