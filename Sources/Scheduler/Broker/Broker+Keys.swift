import StatexHandOff
import StatexProtocol
import StatexSchedulerCore

/// A submit with user keys or unique keys that waits for what the journal knows of them.
struct KeyedSubmit {
    var session: UInt32
    var bytes: [UInt8]
}

/// Those that wait, by their tags. The journal may be slower than clients, and they stand in memory meanwhile.
struct KeyedSubmits {
    /// Once so many wait no more are taken: many times what is under way between two looks at the journal.
    static let bytes = 64 << 20

    private var parked: [UInt64: KeyedSubmit] = [:]
    private var parkedBytes = 0

    var hasRoom: Bool { parkedBytes < Self.bytes }

    mutating func park(_ submit: KeyedSubmit, tag: UInt64) {
        parkedBytes += submit.bytes.count
        parked[tag] = submit
    }

    mutating func take(_ tag: UInt64) -> KeyedSubmit? {
        guard let submit = parked.removeValue(forKey: tag) else { return nil }
        parkedBytes -= submit.bytes.count
        return submit
    }
}

extension Broker {
    /// The journal answered about keys: now the submit goes its way.
    mutating func keysRead(
        _ uses: [UserKeys.Key: UserKeys.Use], _ unique: [UniqueKeys.Key: UniqueKeys.Use], tag: UInt64
    ) {
        guard let parked = keyedSubmits.take(tag), sessions[parked.session] != nil else { return }
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

    /// Nobody knows whether they were used: a submit that was taken might be a second one.
    mutating func keysRefused(_ reason: String, tag: UInt64) {
        guard let parked = keyedSubmits.take(tag), sessions[parked.session] != nil else { return }
        let span = parked.bytes.span.bytes
        guard let header = try? Header(reading: span), (try? submit.read(span, header: header)) != nil else { return }
        core.submitted(submit, bytes: span, client: parked.session, busy: reason, at: now, into: &outbox)
    }
}
