// Between two jobs, and the end.

import Glibc

extension HandlerProcess {
    /// How long wiping a directory may take before the process is given up. Nearly always it is under a
    /// millisecond; 3,000 nested directories took 7 s on a busy disk.
    private static let wipePatience = 30_000
    /// Beyond the grace, for the launcher to kill and wipe.
    private static let endPatience = 30_000

    /// Empties the private directory. False: the process did not behave and must end.
    mutating func settle() -> Bool {
        control.say("w")
        let deadline = Deadline.after(milliseconds: Self.wipePatience)
        while true {
            switch nextEvent(until: deadline, wake: nil) {
            case .launcher(.wiped(let error)): return error == nil && isQuiet
            case .launcher: continue
            // Whatever it says after its answer is one answer too many.
            case .line, .lineTooLong, .outputEnded, .ended, .woken, .deadline: return false
            }
        }
    }

    /// Alive, and has said nothing since its last job. Reads what it printed to stderr, so that a
    /// chatty one does not fill the pipe over the jobs.
    mutating func isReadyForJob() -> Bool {
        drainErrors()
        return isQuiet
    }

    private var isQuiet: Bool {
        guard ending == nil, lines.isEmpty, controlLines.isEmpty else { return false }
        var looks = [
            pollfd(fd: output.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: control.number, events: Int16(POLLIN), revents: 0),
        ]
        return poll(&looks, 2, 0) == 0
    }

    /// SIGTERM, the grace, then everything that descends from the handler is killed and its directory
    /// removed; returns when that is done. Every process comes to this, however it ended.
    mutating func end(graceMilliseconds: Int) {
        guard !isReaped else { return }
        control.say(graceMilliseconds > 0 ? "t" : "k")
        if !awaitRelease(.after(milliseconds: graceMilliseconds + Self.endPatience)) {
            // The launcher itself hangs. Its death takes the handler along.
            kill(launcher, SIGKILL)
            guard awaitRelease(.after(milliseconds: Self.endPatience)) else { return }
        }
        while waitpid(launcher, nil, 0) < 0, errno == EINTR {}
        isReaped = true
    }

    private mutating func awaitRelease(_ deadline: Deadline) -> Bool {
        while !controlEnded {
            switch nextEvent(until: deadline, wake: nil) {
            case .ended:
                // The launcher is still removing the directory.
                var wait = [pollfd(fd: control.number, events: Int16(POLLIN), revents: 0)]
                if waitForAny(&wait, until: deadline) == .deadline { return false }
                receiveControl()
            case .deadline: return false
            // Nobody listens any more; only the memory for it must stay bounded.
            case .lineTooLong: lines = LineSplitter(limit: lines.limit)
            case .line, .outputEnded, .launcher, .woken: continue
            }
        }
        return true
    }
}
