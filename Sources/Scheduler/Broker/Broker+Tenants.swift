import StatexHandOff
import StatexKeys
import StatexProtocol
import StatexSchedulerCore
import StatexZeroMQ

// What a client with a key for some tenants reaches: its submits are looked at here, and whose the jobs are that it asks
// for is looked up in the journal. What is others' does not exist for it.

/// Messages that wait until it is known whose their jobs are, by their tags.
struct HeldQuestions {
    /// Once so many bytes wait no more are taken: the journal is slower than clients, and they stand in memory.
    static let bytes = 16 << 20

    private var held: [UInt64: (session: UInt32, bytes: [UInt8])] = [:]
    private var heldBytes = 0

    var hasRoom: Bool { heldBytes < Self.bytes }

    mutating func hold(_ bytes: [UInt8], of session: UInt32, tag: UInt64) {
        heldBytes += bytes.count
        held[tag] = (session, bytes)
    }

    mutating func take(_ tag: UInt64) -> (session: UInt32, bytes: [UInt8])? {
        guard let question = held.removeValue(forKey: tag) else { return nil }
        heldBytes -= question.bytes.count
        return question
    }
}

/// Which jobs and requests a message names.
private struct NamedJobs {
    var jobs: [UInt64] = []
    var requests: [UInt64] = []

    init(_ header: Header, _ bytes: borrowing RawSpan) throws(WireError) {
        switch header.type {
        case .await:
            for record in try AwaitRecord.all(header, bytes) { add(record.id, record.isRequest) }
        case .cancel:
            for record in try CancelRecord.all(header, bytes) { add(record.id, record.isRequest) }
        default:
            jobs = try Explain.read(bytes, header: header).map(\.rawValue)
        }
    }

    private mutating func add(_ id: JobID, _ isRequest: Bool) {
        if isRequest { requests.append(id.rawValue) } else { jobs.append(id.rawValue) }
    }
}

extension Broker {
    /// Refuses a submit for tenants that the key is not for: the message as a whole, for what it holds of theirs came
    /// with it. Returns whether it did.
    mutating func refuseTenants(of peer: Peer) -> Bool {
        guard let scope = peer.grant?.tenants, scope != .all else { return false }
        let others = Set(submit.jobs.map { Int($0.tenant) }).filter { !scope.contains(submit.names[$0]) }.min()
        guard let others else { return false }
        let error = WireError(.forbidden, "the key is not for tenant \(submit.names[others])")
        append(.refused, recordLength: RefusedRun.size, to: peer)
        RefusedRun(
            sequence: submit.firstSequence, requests: UInt32(submit.requests), error: error, retryAfterMilliseconds: 0
        ).write(to: &peer.buffer)
        peer.added()
        flush(peer)
        return true
    }

    /// Holds what names jobs until it is known whose they are. Returns whether it did.
    mutating func holdForTenants(_ peer: Peer, _ header: Header, _ frame: borrowing Frame) throws(WireError) -> Bool {
        guard case .only(let tenants)? = peer.grant?.tenants else { return false }
        switch header.type {
        case .await, .cancel, .explain: break
        default: return false
        }
        let named = try NamedJobs(header, frame.bytes)
        guard heldQuestions.hasRoom else {
            throw WireError(.busy, "\(HeldQuestions.bytes) bytes of questions wait for the journal")
        }
        heldQuestions.hold(frame.bytes.array(0..<frame.bytes.byteCount), of: peer.session, tag: nextTag)
        handOff.tenantQuestions.put(
            TenantQuestion(tag: nextTag, jobs: named.jobs, requests: named.requests, tenants: Array(tenants)))
        nextTag += 1
        return true
    }

    /// It is known now: what is others' is answered as if it were nobody's.
    mutating func tenantsRead(_ answer: TenantAnswer) {
        guard let question = heldQuestions.take(answer.tag), let peer = sessions[question.session] else { return }
        let bytes = question.bytes.span.bytes
        do throws(WireError) {
            if let failure = answer.failure { throw WireError(.busy, failure) }
            let header = try Header(reading: bytes)
            switch header.type {
            case .await: try awaited(AwaitRecord.all(header, bytes), answer, peer)
            case .cancel: try cancelOrdered(CancelRecord.all(header, bytes), answer, peer)
            default: try explain(Explain.read(bytes, header: header), answer, peer)
            }
        } catch {
            fault(error, to: peer)
        }
    }

    private mutating func awaited(
        _ records: [AwaitRecord], _ answer: TenantAnswer, _ peer: Peer
    ) throws(WireError) {
        guard core.awaited(records.filter { answer.names($0.id, $0.isRequest) }, client: peer.session) else {
            throw WireError(
                .busy, "too many questions wait for their answers, the limit is \(Limits.awaits) of a session")
        }
        for record in records where !answer.names(record.id, record.isRequest) {
            append(.results, recordLength: ResultRecord.size, to: peer)
            ResultRecord(id: record.id, count: 0, state: nil).write(to: &peer.buffer)
            peer.added()
        }
    }

    private mutating func cancelOrdered(
        _ records: [CancelRecord], _ answer: TenantAnswer, _ peer: Peer
    ) throws(WireError) {
        if let reason = busyReason { throw WireError(.busy, reason) }
        let own = records.filter { answer.names($0.id, $0.isRequest) }
        if !own.isEmpty { core.cancelOrdered(own, client: peer.session, at: now, into: &outbox) }
        for record in records where !answer.names(record.id, record.isRequest) {
            append(.cancelled, recordLength: CancelRecord.size, to: peer)
            CancelRecord(record.id, isRequest: record.isRequest).write(to: &peer.buffer)
            peer.added()
        }
    }

    private mutating func explain(_ ids: [JobID], _ answer: TenantAnswer, _ peer: Peer) {
        let (down, time) = (busyReason, now)
        for id in ids {
            append(.explanations, recordLength: Explanation.size, to: peer)
            let explanation =
                answer.names(id, false)
                ? core.explain(id, journalDown: down, at: time) : Explanation(id, state: nil, reason: .none)
            explanation.write(to: &peer.buffer)
            peer.added()
        }
    }
}

extension AwaitRecord {
    static func all(_ header: Header, _ bytes: borrowing RawSpan) throws(WireError) -> [AwaitRecord] {
        var records: [AwaitRecord] = []
        var cursor = try header.recordCursor(atLeast: size)
        for _ in 0..<header.count { records.append(try AwaitRecord(reading: &cursor, header: header, in: bytes)) }
        return records
    }
}

extension CancelRecord {
    static func all(_ header: Header, _ bytes: borrowing RawSpan) throws(WireError) -> [CancelRecord] {
        var records: [CancelRecord] = []
        var cursor = try header.recordCursor(atLeast: size)
        for _ in 0..<header.count { records.append(try CancelRecord(reading: &cursor, header: header, in: bytes)) }
        return records
    }
}
