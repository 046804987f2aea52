import Foundation
import StatexProtocol
import StatexZeroMQ
import Synchronization

@testable import StatexClient

/// A scheduler of a hundred lines on a real ROUTER: every job that it accepts succeeds with its payload.
final class FakeScheduler: Sendable {
    /// What it does wrong, and what it saw.
    struct Script {
        /// So many submits are recorded, but their acknowledgement gets lost.
        var lostAcknowledgements = 0
        /// So many submits are refused as busy.
        var busyAnswers = 0
        /// Results are kept back.
        var holdsResults = false
        /// Nothing is answered at all.
        var isSilent = false
        /// Everybody has to say HELLO again, to a new epoch.
        var restarts = 0
        /// A submit whose first job has this key conflicts.
        var conflictingKey: [UInt8]?

        var submits = 0
        var hellos = 0
        var awaits = 0
        var jobs: [[UInt8]] = []
        var encodings: [UInt8] = []
        var isClosed = false

        var waiting: [(condition: @Sendable (Script) -> Bool, reached: CheckedContinuation<Void, Never>)] = []

        mutating func tellWhoWaits() {
            let script = self
            waiting.removeAll { waiter in
                guard waiter.condition(script) else { return false }
                waiter.reached.resume()
                return true
            }
        }
    }

    let endpoint: String
    let script = Mutex(Script())
    private let wakeup: Wakeup
    private let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(
            path: "statex-client-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        endpoint = "ipc://\(folder.path)/submit"
        wakeup = try Wakeup()
        let context = try ProcessContext.shared()
        let socket = try Self.bound(endpoint, context)
        let handover = Moved(socket)
        NamedThread("fake-scheduler") { [self] in
            guard let socket = handover.take() else { return }
            try? run(socket)
        }.detach()
    }

    private static func bound(_ endpoint: String, _ context: ZeroMQContext) throws -> Socket {
        let socket = try Socket(.router, in: context)
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setMandatory()
        try socket.bind(endpoint)
        return socket
    }

    /// Returns once `condition` holds of what it saw. (The suite's time limit is the deadline.)
    func reaches(_ condition: @escaping @Sendable (Script) -> Bool) async {
        await withCheckedContinuation { reached in
            script.withLock {
                $0.waiting.append((condition, reached))
                $0.tellWhoWaits()
            }
        }
    }

    func change(_ body: (inout Script) -> Void) {
        script.withLock { body(&$0) }
        wakeup.signal()
    }

    func close() {
        change { $0.isClosed = true }
        try? FileManager.default.removeItem(at: folder)
    }

    var objectFolder: String { folder.appending(path: "objects").path }

    private func run(_ socket: borrowing Socket) throws {
        var poller = Poller()
        var state = State()
        let frame = Frame()
        while !script.withLock({ $0.isClosed }) {
            while try socket.receive(into: frame) {
                guard let peer = RoutingID(frame.bytes), try socket.receive(into: frame) else { continue }
                let out = script.withLock { script in
                    defer { script.tellWhoWaits() }
                    return state.received(frame.bytes, from: peer, &script)
                }
                for message in out { try Self.send(message, to: peer, socket, &poller) }
            }
            wakeup.clear()
            for (peer, message) in script.withLock({ state.woken(&$0) }) {
                try Self.send(message, to: peer, socket, &poller)
            }
            poller.removeAll()
            poller.add(socket)
            poller.add(descriptor: wakeup.descriptor)
            _ = try poller.wait(milliseconds: 1_000)
        }
    }
}

extension FakeScheduler {
    /// A full peer is waited for.
    private static func send(
        _ message: [UInt8], to peer: RoutingID, _ socket: borrowing Socket, _ poller: inout Poller
    ) throws {
        while try socket.send(message.span.bytes, to: peer) == .full {
            poller.removeAll()
            _ = try poller.wait(milliseconds: 1)
        }
    }

    private struct State {
        private struct Key: Hashable {
            let producer: Producer
            let sequence: UInt64
        }

        private struct Session {
            let stamp: SessionStamp
            let producer: Producer
        }

        private var sessions: [RoutingID: Session] = [:]
        private var epoch: UInt32 = 1
        private var lastSession: UInt64 = 0
        private var restarts = 0
        /// The first job of each request, and how many it has.
        private var accepted: [Key: (id: UInt64, count: Int)] = [:]
        private var requests: [UInt64: Int] = [:]
        private var firstOf: [UInt64: UInt64] = [:]
        private var held: [(RoutingID, AwaitRecord)] = []
        private let batch = SubmitBatch()

        mutating func woken(_ script: inout Script) -> [(RoutingID, [UInt8])] {
            if script.restarts != restarts {
                restarts = script.restarts
                sessions = [:]
                held = []
                epoch += 1
            }
            guard !script.holdsResults else { return [] }
            defer { held = [] }
            return held.compactMap { peer, record in sessions[peer].map { (peer, results([record], $0, script)) } }
        }

        mutating func received(_ bytes: borrowing RawSpan, from peer: RoutingID, _ script: inout Script) -> [[UInt8]] {
            guard let header = try? Header(reading: bytes) else { return [] }
            if header.type == .hello { script.hellos += 1 }
            guard !script.isSilent else { return [] }
            if header.type == .hello { return hello(bytes, header, peer, &script) }
            guard let session = sessions[peer], session.stamp == header.stamp else {
                return [Self.message { Fault(WireError(.session, "say HELLO")).write(to: &$0, stamp: SessionStamp()) }]
            }
            switch header.type {
            case .heartbeat: return [Self.message { Heartbeat().write(to: &$0, stamp: session.stamp) }]
            case .submit: return submit(bytes, header, session, &script)
            case .await: return awaited(bytes, header, peer, session, &script)
            case .cancel:
                return [
                    Self.message {
                        Header(.cancelled, recordLength: CancelRecord.size, stamp: session.stamp, count: 1).write(
                            to: &$0)
                        var cursor = ByteCursor(at: Int(header.headerLength))
                        guard var record = try? CancelRecord(reading: &cursor, header: header, in: bytes) else {
                            return
                        }
                        record.jobs = 2
                        record.write(to: &$0)
                    }
                ]
            case .status:
                return [Self.message { StatusReply.write(Array("{}".utf8).span.bytes, stamp: session.stamp, to: &$0) }]
            case .goodbye:
                sessions[peer] = nil
                return []
            default: return []
            }
        }

        private mutating func hello(
            _ bytes: borrowing RawSpan, _ header: Header, _ peer: RoutingID, _ script: inout Script
        ) -> [[UInt8]] {
            guard let hello = try? Hello(reading: bytes, header: header) else { return [] }
            lastSession += 1
            let stamp = SessionStamp(session: lastSession, incarnation: 77, epoch: epoch)
            sessions[peer] = Session(stamp: stamp, producer: hello.producer)
            let last = accepted.keys.filter { $0.producer == hello.producer }.map(\.sequence).max() ?? 0
            return [
                Self.message {
                    Welcome(stamp: stamp, heartbeatMilliseconds: 200, leaseMilliseconds: 2_000, lastSequence: last)
                        .write(to: &$0)
                }
            ]
        }

        private mutating func submit(
            _ bytes: borrowing RawSpan, _ header: Header, _ session: Session, _ script: inout Script
        ) -> [[UInt8]] {
            var batch = batch
            guard (try? batch.read(bytes, header: header)) != nil else {
                return [Self.message { Fault(WireError(.malformed, "?")).write(to: &$0, stamp: session.stamp) }]
            }
            script.submits += 1
            if script.busyAnswers > 0 {
                script.busyAnswers -= 1
                return [refused(batch.firstSequence, batch.requests, WireError(.busy, "busy"), 20, session)]
            }
            var out: [[UInt8]] = []
            var runs: [AcceptedRun] = []
            var sequence = batch.firstSequence
            for job in batch.jobs where job.index == 0 {
                defer { sequence += 1 }
                let options = try? JobOptions(
                    reading: bytes, from: Int(job.optionsStart), length: Int(job.optionsLength), index: 0)
                if let key = options?.userKey, key == script.conflictingKey {
                    out.append(refused(sequence, 1, WireError(.keyConflict, "other content"), 0, session))
                    continue
                }
                let key = Key(producer: session.producer, sequence: sequence)
                let known = accepted[key]
                let id = known?.id ?? UInt64(script.jobs.count + 1_000)
                if known == nil {
                    accepted[key] = (id, Int(job.count))
                    requests[id] = Int(job.count)
                    for index in 0..<UInt64(job.count) { firstOf[id + index] = id }
                    record(batch, sequence, bytes, &script)
                }
                runs.append(
                    AcceptedRun(
                        sequence: sequence, firstID: JobID(rawValue: id), requests: 1, jobsEach: job.count,
                        repeated: known != nil))
            }
            guard script.lostAcknowledgements == 0 else {
                script.lostAcknowledgements -= 1
                return []
            }
            if !runs.isEmpty { out.append(acceptedMessage(runs, session)) }
            if batch.notify {
                let records = runs.map { AwaitRecord($0.firstID, isRequest: true, waits: true) }
                out.append(results(records, session, script))
            }
            return out
        }

        private func record(
            _ batch: SubmitBatch, _ sequence: UInt64, _ bytes: borrowing RawSpan, _ script: inout Script
        ) {
            var current = batch.firstSequence
            for (place, job) in batch.jobs.enumerated() {
                if place > 0 && job.index == 0 { current += 1 }
                guard current == sequence else { continue }
                script.jobs.append(bytes.array(Int(job.payloadStart)..<Int(job.payloadStart + job.payloadLength)))
                script.encodings.append(job.encoding)
            }
        }

        private mutating func awaited(
            _ bytes: borrowing RawSpan, _ header: Header, _ peer: RoutingID, _ session: Session, _ script: inout Script
        ) -> [[UInt8]] {
            script.awaits += 1
            var cursor = ByteCursor(at: Int(header.headerLength))
            var now: [AwaitRecord] = []
            for _ in 0..<header.count {
                guard let record = try? AwaitRecord(reading: &cursor, header: header, in: bytes) else { break }
                if script.holdsResults && record.waits { held.append((peer, record)) } else { now.append(record) }
            }
            return now.isEmpty ? [] : [results(now, session, script)]
        }

        private func results(_ records: [AwaitRecord], _ session: Session, _ script: Script) -> [UInt8] {
            Self.message { buffer in
                Header(.results, recordLength: ResultRecord.size, stamp: session.stamp).write(to: &buffer)
                var count = 0
                for record in records {
                    let first = firstOf[record.id.rawValue] ?? 0
                    let size = requests[first] ?? 0
                    let ids =
                        record.isRequest && record.id.rawValue == first
                        ? first..<first + UInt64(size) : record.id.rawValue..<record.id.rawValue + 1
                    for id in ids {
                        count += 1
                        let isKnown = size > 0 && !(record.isRequest && record.id.rawValue != first)
                        guard isKnown else {
                            ResultRecord(id: JobID(rawValue: id), state: nil).write(to: &buffer)
                            continue
                        }
                        let isOpen = script.holdsResults
                        let body = isOpen ? [] : script.jobs[Int(id) - 1_000]
                        var result = ResultRecord(
                            id: JobID(rawValue: id), index: UInt16(id - first), count: UInt16(size),
                            state: isOpen ? .queued : .succeeded)
                        result.attempts = 1
                        result.kindLength = 4
                        result.encoding =
                            isOpen ? .bytes : Encoding(rawValue: script.encodings[Int(id) - 1_000]) ?? .bytes
                        result.bodyLength = UInt32(body.count)
                        result.write(to: &buffer)
                        buffer.append("text")
                        buffer.append(body)
                    }
                }
                Header.setCount(count, in: &buffer)
            }
        }

        private func acceptedMessage(_ runs: [AcceptedRun], _ session: Session) -> [UInt8] {
            Self.message { buffer in
                Header(.accepted, recordLength: AcceptedRun.size, stamp: session.stamp, count: runs.count)
                    .write(to: &buffer)
                for run in runs { run.write(to: &buffer) }
            }
        }

        private func refused(
            _ sequence: UInt64, _ requests: Int, _ error: WireError, _ retryAfter: UInt32, _ session: Session
        ) -> [UInt8] {
            Self.message {
                Header(.refused, recordLength: RefusedRun.size, stamp: session.stamp, count: 1).write(to: &$0)
                RefusedRun(
                    sequence: sequence, requests: UInt32(requests), error: error, retryAfterMilliseconds: retryAfter
                ).write(to: &$0)
            }
        }

        private static func message(_ write: (inout ByteBuffer) -> Void) -> [UInt8] {
            var buffer = ByteBuffer()
            write(&buffer)
            return buffer.array()
        }
    }
}
