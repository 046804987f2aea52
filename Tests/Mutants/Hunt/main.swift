import Glibc
import StatexSimulation

// Runs seeds until one fails: `hunt SEEDS [FIRST [THREADS]]`. Says the seeds that it took and what was seen, or
// that nothing was.

let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
var campaign = Campaign()
campaign.seeds = Int(numbers.first ?? 2_000)
campaign.firstSeed = numbers.dropFirst().first ?? 1
campaign.threads = Int(numbers.dropFirst(2).first ?? 2)
let report = campaign.run()
for fault in report.faultsByName { print("\(fault.name): \(fault.count.injected), \(fault.count.hit)") }
print("seeds \(report.seeds), events \(report.events), hours \(report.simulatedHours), jobs \(report.jobs)")
for (mark, count) in report.marks.sorted(by: { $0.key < $1.key }) { print("  \(mark): \(count)") }
print("violations \(report.violations.count), canary \(report.canarySeeds ?? -1), digest \(report.digest)")
for violation in report.violations.prefix(10) { print("\(violation.seed): \(violation.text)") }
