// The birth of a handler process: launcher, isolation, `ready`.

import CLinux
import Glibc
import StatexHandlerAPI
import StatexThreads

extension HandlerProcess {
    /// Starts one and waits until it is ready to take a job.
    static func start(_ settings: ProcessSettings, wake: Wakeup?) throws(HandlerError) -> HandlerProcess {
        var process: HandlerProcess
        do {
            process = try spawn(settings)
        } catch {
            throw HandlerError(.start, "cannot start \(settings.launcher): \(error)")
        }
        do {
            try process.awaitReady(settings, wake: wake)
        } catch {
            process.end(graceMilliseconds: 0)
            throw error
        }
        return process
    }

    /// Starts the launcher, which starts the program; both are on their way when this returns.
    static func spawn(_ settings: ProcessSettings) throws(SystemError) -> HandlerProcess {
        let root = settings.scratchRoot
        // Others may pass through, so that a handler of another user reaches its directory, but not look.
        guard mkdir(root, 0o711) == 0 || errno == EEXIST else { throw SystemError("mkdir") }
        let path = root + "/" + String(UInt64.random(in: .min ... .max), radix: 36)
        let input = try Descriptor.pipe()
        let output = try Descriptor.pipe()
        let errors = try Descriptor.pipe()
        let control = try Descriptor.socketPair()
        for ours in [input.1, output.0, errors.0, control.0] { try ours.setNonBlocking() }
        let launcher = try spawnProgram(
            [settings.launcher] + options(settings, path: path) + ["--"] + settings.program,
            environment: environment(settings, path: path), descriptors: [input.0, output.1, errors.1, control.1])
        return HandlerProcess(
            launcher: launcher, input: input.1, output: output.0, errors: errors.0, control: control.0, path: path,
            lineLimit: settings.limits.lineBytes)
    }

    private static func options(_ settings: ProcessSettings, path: String) -> [String] {
        let limits = settings.limits
        var options = ["--directory", path, "--control-fd", "3", "--grace", String(settings.graceMilliseconds)]
        options += ["--network", settings.allowsNetwork ? "allow" : "deny", "--isolation", settings.isolation.rawValue]
        let numbers = [
            ("memory", limits.memoryBytes), ("cpu-seconds", limits.cpuSeconds), ("processes", limits.processes),
            ("files", limits.files), ("file-size", limits.fileBytes), ("disk", limits.diskBytes),
            ("entries", limits.entries),
        ]
        for (name, value) in numbers { options += ["--" + name, String(value)] }
        if let user = settings.user { options += ["--user", String(user)] }
        for path in settings.readPaths { options += ["--read", path] }
        for path in settings.writePaths { options += ["--write", path] }
        for layer in settings.leavesOut.sorted(by: { $0.rawValue < $1.rawValue }) {
            options += ["--without", layer.rawValue]
        }
        return options
    }

    private static func environment(_ settings: ProcessSettings, path: String) -> [String] {
        var environment = ["PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"]
        environment.merge(settings.environment) { _, given in given }
        environment["HOME"] = path
        environment["TMPDIR"] = path
        return environment.map { "\($0.key)=\($0.value)" }.sorted()
    }

    private mutating func awaitReady(_ settings: ProcessSettings, wake: Wakeup?) throws(HandlerError) {
        let deadline = Deadline.after(milliseconds: settings.startMilliseconds)
        while true {
            switch nextEvent(until: deadline, wake: wake) {
            case .launcher(.started(let report)): isolation = report
            case .launcher(.failed(let reason, let report)):
                isolation = report
                throw HandlerError(.start, "\(settings.program[0]): \(reason)")
            case .launcher(.wiped): continue
            case .line(let line):
                if try isReady(line) { return }
            case .lineTooLong(let limit): throw HandlerError(.start, "the first line is longer than \(limit) bytes")
            case .outputEnded: continue  // its end follows, or the deadline
            case .ended(let ending), .launcher(.ended(let ending)):
                throw HandlerError(.start, "\(ending.sentence) before it was ready\(errorText)")
            case .woken: throw HandlerError(.cancelled, "stopped while the handler was starting")
            case .deadline:
                throw HandlerError(.start, "not ready within \(settings.startMilliseconds) ms\(errorText)")
            }
        }
    }

    private func isReady(_ line: [UInt8]) throws(HandlerError) -> Bool {
        let message: HandlerMessage
        do {
            message = try HandlerMessage(line: line)
        } catch {
            throw HandlerError(.start, "instead of ready: \(error.reason)")
        }
        switch message {
        case .ready: return true
        case .unavailable(let reason): throw HandlerError(.unavailable, reason)
        case .progress, .partial, .checkpoint, .result, .error:
            throw HandlerError(.start, "the first line must be ready or unavailable")
        }
    }
}

/// posix_spawn with Swift's strings. The first argument is the program's path.
func spawnProgram(
    _ arguments: [String], environment: [String], descriptors: [Descriptor]
) throws(SystemError) -> pid_t {
    let argumentPointers = arguments.map { strdup($0) }
    let environmentPointers = environment.map { strdup($0) }
    defer { for pointer in argumentPointers + environmentPointers { free(pointer) } }
    guard let program = argumentPointers.first, let program else { throw SystemError("posix_spawn", EINVAL) }
    guard !(argumentPointers + environmentPointers).contains(nil) else { throw SystemError("strdup", ENOMEM) }
    var pid: pid_t = 0
    let code = clinux_spawn_session(
        &pid, program, argumentPointers + [nil], environmentPointers + [nil], descriptors.map(\.number),
        CInt(descriptors.count))
    guard code == 0 else { throw SystemError("posix_spawn", code) }
    return pid
}
