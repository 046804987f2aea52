/// Seeds that found something, each with what it was. A change of what seeds draw gives them other runs; they
/// stay, because a run that was hard once is a good one to have.
package enum RegressionSeeds {
    package static let all: [UInt64] = [
        // Found on 2026-11-26: STALE and REVOKE about a lease of before a restore named the new journal, so its
        // worker kept the outcome, or ran the job, for ever.
        33, 37, 48,
    ]
}
