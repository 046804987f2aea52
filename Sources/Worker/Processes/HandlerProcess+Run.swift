// One job in one process.

import CLinux
import Glibc
import StatexHandlerAPI
import StatexThreads

/// How an attempt ended.
struct Attempt {
    let result: Result<Payload, HandlerError>
    /// The process may take another job.
    let isProcessSound: Bool
    /// It failed by what an earlier job left behind, so it does not count: the process ended before it
    /// had read a byte of this job, or said something about another one.
    var isEarlierJobsFault = false
}

extension HandlerProcess {
    /// Runs one attempt; blocks until it is over and, if it had to be stopped, until every process of
    /// the handler is gone.
    mutating func run(_ job: Job, _ settings: ProcessSettings, wake: Wakeup) -> Attempt {
        let limit = timeLimit(job, settings)
        let deadline = limit == 0 ? Deadline.never : .after(milliseconds: limit)
        tail.clear()
        jobBytes = 0
        do {
            let sizes = try putContent(of: job, in: path, settings)
            control.say("j")
            let line = jobLine(job, sizes, directory: path, timeLimitMilliseconds: limit)
            // Its last line was read before it answered, so there is room, unless it does not read at all.
            let patience = min(deadline, .after(milliseconds: 10_000))
            if input.write(line, until: patience) { jobBytes = line.count } else { return crashed(settings) }
        } catch {
            // A process that ended meanwhile took its directory along.
            let hasEnded = awaitDeath(.after(milliseconds: 0)) != nil
            return Attempt(result: .failure(error), isProcessSound: !hasEnded, isEarlierJobsFault: hasEnded)
        }
        while true {
            switch nextEvent(until: deadline, wake: wake) {
            case .line(let line):
                if let attempt = obey(line, job) { return attempt }
            case .lineTooLong(let limit): return broke("a line of more than \(limit) bytes")
            case .launcher: continue
            case .outputEnded: return crashed(settings)
            case .ended(let ending): return failed(ending)
            case .woken: return stopped(job, settings)
            case .deadline:
                end(graceMilliseconds: settings.graceMilliseconds)
                return .dead(HandlerError(.timeout, "not finished within \(limit) ms\(errorText)"))
            }
        }
    }

    private func timeLimit(_ job: Job, _ settings: ProcessSettings) -> Int {
        let limits = [job.runLimitMilliseconds, settings.runMilliseconds].filter { $0 > 0 }
        return limits.min() ?? 0
    }

    private mutating func obey(_ line: [UInt8], _ job: Job) -> Attempt? {
        let message: HandlerMessage
        do {
            message = try HandlerMessage(line: line)
        } catch {
            return broke(error.reason)
        }
        if let id = message.id, id != job.id.description {
            return broke("a line about another job", isEarlierJobsFault: true)
        }
        switch message {
        case .progress(_, let progress):
            job.report(progress)
            return nil
        case .partial(_, let piece):
            job.put(piece)
            return nil
        case .checkpoint(_, let data):
            do { try job.save(checkpoint: data) } catch { return broke(error.message) }
            return nil
        case .result(_, let text): return Attempt(result: .success(.bytes(text)), isProcessSound: true)
        case .error(_, let error): return Attempt(result: .failure(error), isProcessSound: true)
        case .ready, .unavailable: return broke("ready or unavailable inside a job")
        }
    }

    // MARK: the ends of an attempt

    /// What it printed cannot be taken. The same job would print it again, so it is not retried.
    private mutating func broke(_ reason: String, isEarlierJobsFault: Bool = false) -> Attempt {
        end(graceMilliseconds: 0)
        var attempt = Attempt.dead(
            HandlerError(.output, "the handler broke the protocol: \(reason)\(errorText)", retryable: false))
        attempt.isEarlierJobsFault = isEarlierJobsFault
        return attempt
    }

    /// It closed a stream. Mostly it is dying, and its launcher knows of what.
    private mutating func crashed(_ settings: ProcessSettings) -> Attempt {
        if let ending = awaitDeath(.after(milliseconds: settings.graceMilliseconds)) { return failed(ending) }
        end(graceMilliseconds: 0)
        return .dead(HandlerError(.crashed, "the handler closed its output without a result\(errorText)"))
    }

    /// nil: it lives on.
    private mutating func awaitDeath(_ deadline: Deadline) -> Ending? {
        while true {
            switch nextEvent(until: deadline, wake: nil) {
            case .ended(let ending): return ending
            case .deadline, .lineTooLong: return nil
            case .line, .outputEnded, .launcher, .woken: continue
            }
        }
    }

    private func failed(_ ending: Ending) -> Attempt {
        var attempt: Attempt
        if case .exceeded(let limit, let detail) = ending {
            // The private directory was empty before, so what filled it is this job, and will again.
            attempt = .dead(HandlerError(limit, "\(detail)\(errorText)", retryable: limit != "disk"))
        } else {
            attempt = .dead(HandlerError(.crashed, "\(ending.sentence) before it gave a result\(errorText)"))
        }
        attempt.isEarlierJobsFault = clinux_unread(input.number) == CInt(jobBytes)
        return attempt
    }

    private mutating func stopped(_ job: Job, _ settings: ProcessSettings) -> Attempt {
        end(graceMilliseconds: settings.graceMilliseconds)
        return .dead(HandlerError(job.cancellation.reason ?? .revoked, detail: errorText))
    }

    /// What it printed to stderr, to be added to a sentence.
    var errorText: String {
        let text = tail.text
        return text.isEmpty ? "" : "; it printed: " + text
    }
}

extension Attempt {
    /// The process is gone.
    fileprivate static func dead(_ error: HandlerError) -> Attempt {
        Attempt(result: .failure(error), isProcessSound: false)
    }
}
