import Glibc
import StatexSimulation

// Runs seeds one after another until one finds something: `hunt SEEDS`. Its last line on stdout names the seed
// that runs, or what was found; so a mutant that traps is found too.

guard let seeds = CommandLine.arguments.dropFirst().first.flatMap({ UInt64($0) }), seeds > 0 else {
    print("usage: hunt SEEDS")
    exit(64)
}
for seed in 1...seeds {
    print("seed \(seed)")
    // All there is: the run may trap.
    fflush(nil)
    guard let violation = Simulator.run(seed: seed).violations.first else { continue }
    print(violation)
    exit(1)
}
