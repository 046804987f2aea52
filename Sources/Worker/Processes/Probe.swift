// What the launcher says of this machine, and what it tidies up.

import Glibc
import StatexHandlerAPI

/// The isolation that handlers get on this machine. Starts one process that does nothing; blocks for
/// some ten milliseconds.
package func probeIsolation(launcher: String, scratchRoot: String) -> IsolationReport {
    var settings = ProcessSettings(
        kind: "probe", program: ["/usr/bin/true"], launcher: launcher, scratchRoot: scratchRoot)
    settings.limits.processes = 16
    do {
        var process = try HandlerProcess.spawn(settings)
        defer { process.end(graceMilliseconds: 0) }
        return process.awaitReport(until: .after(milliseconds: 10_000))
    } catch {
        return IsolationReport(level: .basic, missing: ["cannot start \(launcher): \(error)"])
    }
}

extension HandlerProcess {
    fileprivate mutating func awaitReport(until deadline: Deadline) -> IsolationReport {
        while true {
            switch nextEvent(until: deadline, wake: nil) {
            case .launcher(.started(let report)): return report
            case .launcher(.failed(let reason, let report)):
                return IsolationReport(level: report.level, missing: report.missing + [reason])
            case .ended, .deadline:
                return IsolationReport(level: .basic, missing: ["the launcher does not answer\(errorText)"])
            case .line, .lineTooLong, .outputEnded, .launcher, .woken: continue
            }
        }
    }
}

/// Removes private directories that a launcher had no time to remove: only power cuts and kill -9 of
/// the launcher leave any. Best effort: what cannot be removed is in nobody's way.
func sweepScratch(_ settings: ProcessSettings) {
    guard access(settings.scratchRoot, F_OK) == 0, let (null, _) = try? Descriptor.pipe() else { return }
    let arguments = [settings.launcher, "--sweep", settings.scratchRoot]
    guard let sweeper = try? spawnProgram(arguments, environment: [], descriptors: [null, null, null]) else { return }
    while waitpid(sweeper, nil, 0) < 0, errno == EINTR {}
}
