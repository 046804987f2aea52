/// Seeds that found something, each with what it was. A change of what seeds draw gives them other runs; they
/// stay, because a run that was hard once is a good one to have.
package enum RegressionSeeds {
    package static let all: [UInt64] = [
        // Found on 2026-11-26: STALE and REVOKE about a lease of before a restore named the new journal, so its
        // worker kept the outcome, or ran the job, for ever.
        33, 37, 48,
        // One backup restored twice gave the same ids twice.
        1959,
        // A job with a run_at that had run already waited for it again, when the clock was set back before a restart.
        980,
        // An owner that did not know yet that its journal had been restored welcomed a worker that believed the
        // restored one: the worker left that for ever.
        7126,
    ]
}
