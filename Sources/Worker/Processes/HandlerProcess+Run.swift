// One call in one process.

import CLinux
import Glibc
import StatexHandlerAPI
import StatexThreads

extension HandlerProcess {
    /// Runs one attempt at each of these jobs; blocks until all are over and, if they had to be stopped, until every
    /// process of the handler is gone.
    mutating func run(_ jobs: [Job], _ settings: ProcessSettings, wake: Wakeup) -> CallEnd {
        var call = Call(jobs, settings)
        let deadline = call.deadline
        tail.clear()
        jobBytes = 0
        let isBatch = settings.batchSize > 1
        var members: [String] = []
        for (place, job) in jobs.enumerated() {
            let names = ContentNames(prefix: isBatch ? "\(place)-" : "")
            do {
                let sizes = try putContent(of: job, names, in: path, settings)
                members.append(jobMembers(job, names, sizes, directory: path, limit: call.limits[place]))
            } catch {
                // A process that ended meanwhile took its directory along.
                if awaitDeath(.after(milliseconds: 0)) != nil {
                    return call.over(isProcessSound: false, isEarlierJobsFault: true) { _ in error }
                }
                call.end(place, .failure(error))
            }
        }
        if !members.isEmpty {
            control.say("j")
            let line = isBatch ? jobsLine(members) : jobLine(members[0])
            // Its last line was read before it answered, so there is room, unless it does not read at all.
            let patience = min(deadline, .after(milliseconds: 10_000))
            guard input.write(line, until: patience) else { return crashed(call, settings) }
            jobBytes = line.count
        }
        while call.unfinished > 0 {
            // Also when the last job that was wanted has just been answered.
            if call.mustStop { return stopped(call, settings) }
            switch nextEvent(until: deadline, wake: wake) {
            case .line(let line):
                if let end = obey(line, &call) { return end }
            case .lineTooLong(let limit): return broke(call, "a line of more than \(limit) bytes")
            case .launcher: continue
            case .outputEnded: return crashed(call, settings)
            case .ended(let ending): return failed(call, ending)
            case .woken: wake.clear()
            case .deadline:
                end(graceMilliseconds: settings.graceMilliseconds)
                return call.over(isProcessSound: false) { place in
                    HandlerError(.timeout, "not finished within \(call.limits[place]) ms\(errorText)")
                }
            }
        }
        return call.complete()
    }

    /// - Returns: the end of the call, if this line is that.
    private mutating func obey(_ line: [UInt8], _ call: inout Call) -> CallEnd? {
        let message: HandlerMessage
        do {
            message = try HandlerMessage(line: line)
        } catch {
            return broke(call, error.reason)
        }
        guard let id = message.id else { return broke(call, "ready or unavailable inside a job") }
        guard let place = call.unfinishedPlace(of: id) else {
            return call.has(id)
                ? broke(call, "a line about a job that is over")
                : broke(call, "a line about another job", isEarlierJobsFault: call.isUntouched)
        }
        switch message {
        case .progress(_, let progress): call.jobs[place].report(progress)
        case .partial(_, let piece): call.jobs[place].put(piece)
        case .checkpoint(_, let data):
            do { try call.jobs[place].save(checkpoint: data) } catch { return broke(call, error.message) }
        case .result(_, let text): call.end(place, .success(.bytes(text)))
        case .error(_, let error): call.end(place, .failure(error))
        case .ready, .unavailable: break  // They have no id.
        }
        return nil
    }

    // MARK: the ends of a call that is unfinished

    /// What it printed cannot be taken. The same job would print it again, so it is not retried; of several it may
    /// be any, so each is tried again alone.
    private mutating func broke(_ call: Call, _ reason: String, isEarlierJobsFault: Bool = false) -> CallEnd {
        end(graceMilliseconds: 0)
        return call.over(isProcessSound: false, isEarlierJobsFault: isEarlierJobsFault) { _ in
            HandlerError(
                .output, "the handler broke the protocol: \(reason)\(errorText)", retryable: call.unfinished > 1)
        }
    }

    /// It closed a stream. Mostly it is dying, and its launcher knows of what.
    private mutating func crashed(_ call: Call, _ settings: ProcessSettings) -> CallEnd {
        if let ending = awaitDeath(.after(milliseconds: settings.graceMilliseconds)) { return failed(call, ending) }
        end(graceMilliseconds: 0)
        return call.over(isProcessSound: false) { _ in
            HandlerError(.crashed, "the handler closed its output without a result\(errorText)")
        }
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

    private func failed(_ call: Call, _ ending: Ending) -> CallEnd {
        let isUnread = call.isUntouched && clinux_unread(input.number) == CInt(jobBytes)
        return call.over(isProcessSound: false, isEarlierJobsFault: isUnread) { _ in
            guard case .exceeded(let limit, let detail) = ending else {
                return HandlerError(.crashed, "\(ending.sentence) before it gave a result\(errorText)")
            }
            // The private directory was empty before, so what filled it is this job, and will again.
            return HandlerError(
                limit, "\(detail)\(errorText)", retryable: limit != "disk" || call.unfinished > 1)
        }
    }

    private mutating func stopped(_ call: Call, _ settings: ProcessSettings) -> CallEnd {
        end(graceMilliseconds: settings.graceMilliseconds)
        return call.over(isProcessSound: false) { place in
            HandlerError(call.jobs[place].cancellation.reason ?? .revoked, detail: errorText)
        }
    }

    /// What it printed to stderr, to be added to a sentence.
    var errorText: String {
        let text = tail.text
        return text.isEmpty ? "" : "; it printed: " + text
    }
}
