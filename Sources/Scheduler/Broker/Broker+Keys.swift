import StatexHandOff
import StatexProtocol
import StatexSchedulerCore

/// A submit with user keys or unique keys that waits for what the journal knows of them.
struct KeyedSubmit {
    var session: UInt32
    var bytes: [UInt8]
}

extension Broker {
    /// The journal answered about keys: now the submit goes its way.
    mutating func keysRead(
        _ uses: [UserKeys.Key: UserKeys.Use], _ unique: [UniqueKeys.Key: UniqueKeys.Use], tag: UInt64
    ) {
        guard let parked = keyedSubmits.removeValue(forKey: tag), sessions[parked.session] != nil else { return }
        let span = parked.bytes.span.bytes
        guard let header = try? Header(reading: span), (try? submit.read(span, header: header)) != nil else { return }
        let keyed = submit.keys(in: span).map { found in
            let jobs = found.job..<found.job + Int(submit.jobs[found.job].count)
            return KeyedRequest(
                job: found.job, digest: found.user == nil ? [] : RequestDigest.of(jobs, in: submit, span),
                known: found.user.flatMap { uses[$0] }, knownUnique: found.unique.flatMap { unique[$0] })
        }
        core.submitted(
            submit, bytes: span, client: parked.session, keyed: keyed, busy: busyReason, at: now, into: &outbox)
    }
}
