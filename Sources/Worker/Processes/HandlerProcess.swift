// One handler process and its launcher, as one thread at a time sees them: four descriptors, what has
// been received on them and not yet been looked at, and how it ended.

import CLinux
import Glibc
import StatexHandlerAPI
import StatexThreads

struct HandlerProcess: Sendable {
    let launcher: pid_t
    let input: Descriptor
    let output: Descriptor
    let errors: Descriptor
    let control: Descriptor
    /// The private directory, also under the name that the handler sees.
    let path: String
    var isolation = IsolationReport(level: .basic, missing: [])

    var lines: LineSplitter
    var controlLines = LineSplitter(limit: 16 << 10)
    var tail = ErrorTail()
    var outputEnded = false
    var errorsEnded = false
    /// Known as soon as no process of the handler is left.
    var ending: Ending?
    /// The launcher has removed the private directory and is gone.
    var controlEnded = false
    var isReaped = false
    /// The length of the line that gave it its job.
    var jobBytes = 0

    init(
        launcher: pid_t, input: Descriptor, output: Descriptor, errors: Descriptor, control: Descriptor, path: String,
        lineLimit: Int
    ) {
        self.launcher = launcher
        self.input = input
        self.output = output
        self.errors = errors
        self.control = control
        self.path = path
        self.lines = LineSplitter(limit: lineLimit)
    }
}

/// What there is to react to.
enum ProcessEvent {
    case line([UInt8])
    case lineTooLong(limit: Int)
    case outputEnded
    case launcher(LauncherMessage)
    /// All its processes are gone; nothing follows.
    case ended(Ending)
    case woken
    case deadline
}

extension HandlerProcess {
    /// Waits for the next thing that happens. Lines come before the end of the processes that printed
    /// them; a deadline and a wake come before lines, so that no flood of lines delays them.
    mutating func nextEvent(until deadline: Deadline, wake: Wakeup?) -> ProcessEvent {
        while true {
            if deadline.hasPassed { return .deadline }
            if let event = bufferedEvent() { return event }
            if let ending {
                // The last lines may have come between two looks; whoever wrote them is gone by now.
                if !outputEnded, let rest = output.read(atMost: 64 << 10), !rest.isEmpty {
                    lines.append(rest)
                    continue
                }
                drainErrors()
                return .ended(ending)
            }
            var waits = [
                pollfd(fd: wake?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: outputEnded ? -1 : output.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: errorsEnded ? -1 : errors.number, events: Int16(POLLIN), revents: 0),
                pollfd(fd: control.number, events: Int16(POLLIN), revents: 0),
            ]
            if waitForAny(&waits, until: deadline) == .deadline { return .deadline }
            if waits[0].revents != 0 { return .woken }
            if waits[2].revents != 0 { receiveErrors() }
            if waits[1].revents != 0 {
                if let event = receiveOutput() { return event }
            } else if waits[3].revents != 0 {
                receiveControl()
            }
        }
    }

    private mutating func bufferedEvent() -> ProcessEvent? {
        do {
            if let line = try lines.next() { return .line(line) }
        } catch {
            return .lineTooLong(limit: error.limit)
        }
        return nextLauncherMessage()
    }

    private mutating func receiveOutput() -> ProcessEvent? {
        guard let bytes = output.read(atMost: 64 << 10) else {
            outputEnded = true
            return .outputEnded
        }
        lines.append(bytes)
        return nil
    }

    /// What is there now: no more than a pipe holds, even if somebody keeps writing.
    mutating func drainErrors() {
        for _ in 0..<4 where !errorsEnded { receiveErrors() }
    }

    private mutating func receiveErrors() {
        guard let bytes = errors.read(atMost: 16 << 10) else {
            errorsEnded = true
            return
        }
        tail.append(bytes)
    }

    mutating func receiveControl() {
        guard let bytes = control.read(atMost: 16 << 10) else {
            controlEnded = true
            ending = ending ?? .launcherLost
            return
        }
        controlLines.append(bytes)
    }

    private mutating func nextLauncherMessage() -> ProcessEvent? {
        guard let line = try? controlLines.next(), let message = LauncherMessage(line: line) else { return nil }
        guard case .ended(let ending) = message else { return .launcher(message) }
        self.ending = ending
        return nil
    }
}
