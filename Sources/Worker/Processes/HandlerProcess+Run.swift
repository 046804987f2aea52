// One job in one process.

import Glibc
import StatexHandlerAPI

/// How an attempt ended, and whether its process may take another.
struct Attempt {
    let result: Result<Payload, HandlerError>
    let isProcessSound: Bool
}

extension HandlerProcess {
    /// Runs one attempt; blocks until it is over and, if it had to be stopped, until every process of
    /// the handler is gone.
    mutating func run(_ job: Job, _ settings: ProcessSettings, wake: Wake) -> Attempt {
        let limit = timeLimit(job, settings)
        let deadline = limit == 0 ? Deadline.never : .after(milliseconds: limit)
        tail.clear()
        do {
            let size = try putPayload(job.payload, in: path, settings)
            control.say("j")
            let line = jobLine(job, size: size, directory: path, timeLimitMilliseconds: limit)
            // Its last line was read before it answered, so there is room, unless it does not read at all.
            let patience = min(deadline, .after(milliseconds: 10_000))
            guard input.write(line, until: patience) else { return crashed(settings) }
        } catch {
            return Attempt(result: .failure(error), isProcessSound: true)
        }
        while true {
            switch nextEvent(until: deadline, wake: wake) {
            case .line(let line):
                if let attempt = obey(line, job, settings) { return attempt }
            case .lineTooLong(let limit): return broke("a line of more than \(limit) bytes", settings)
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

    private mutating func obey(_ line: [UInt8], _ job: Job, _ settings: ProcessSettings) -> Attempt? {
        let message: HandlerMessage
        do {
            message = try HandlerMessage(line: line)
        } catch {
            return broke(error.reason, settings)
        }
        switch message {
        case .progress(let id, let progress):
            guard id == job.id.description else { return brokeOrder("progress of another job", settings) }
            job.onProgress(progress)
            return nil
        case .result(let id, let text):
            guard id == job.id.description else { return brokeOrder("the result of another job", settings) }
            return Attempt(result: .success(.bytes(text)), isProcessSound: true)
        case .error(let id, let error):
            guard id == job.id.description else { return brokeOrder("the error of another job", settings) }
            return Attempt(result: .failure(error), isProcessSound: true)
        case .ready, .unavailable: return brokeOrder("ready or unavailable inside a job", settings)
        }
    }

    // MARK: the ends of an attempt

    /// What it printed cannot be taken. The same job would print it again, so it is not retried.
    private mutating func broke(_ reason: String, _ settings: ProcessSettings) -> Attempt {
        end(graceMilliseconds: 0)
        return .dead(HandlerError(.output, "the handler broke the protocol: \(reason)\(errorText)", retryable: false))
    }

    /// A good line at the wrong time; the job before this one may be to blame, so it is retried.
    private mutating func brokeOrder(_ reason: String, _ settings: ProcessSettings) -> Attempt {
        end(graceMilliseconds: 0)
        return .dead(HandlerError(.output, "the handler broke the protocol: \(reason)\(errorText)"))
    }

    /// It closed a stream. Mostly it is dying, and its launcher knows of what.
    private mutating func crashed(_ settings: ProcessSettings) -> Attempt {
        let deadline = Deadline.after(milliseconds: settings.graceMilliseconds)
        while true {
            switch nextEvent(until: deadline, wake: nil) {
            case .ended(let ending): return failed(ending)
            case .deadline, .lineTooLong:
                end(graceMilliseconds: 0)
                return .dead(HandlerError(.crashed, "the handler closed its output without a result\(errorText)"))
            case .line, .outputEnded, .launcher, .woken: continue
            }
        }
    }

    private func failed(_ ending: Ending) -> Attempt {
        if case .exceeded(let limit, let detail) = ending {
            // The private directory was empty before, so what filled it is this job, and will again.
            return .dead(HandlerError(limit, "\(detail)\(errorText)", retryable: limit != "disk"))
        }
        return .dead(HandlerError(.crashed, "\(ending.sentence) before it gave a result\(errorText)"))
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
