// What a worker costs by itself: a scheduler that journals nothing leases noop jobs to a real
// `statex worker` as fast as its credit allows, in messages of a thousand, and prints jobs a second and the
// worker's CPU time for each job.
//
//     worker-bench [jobs] [payload bytes] [jobs a message] [slots]

import CLinux
import Foundation
import StatexProtocol
import StatexZeroMQ

@main
struct WorkerBench {
    static func main() throws {
        let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
        let jobs = arguments.first ?? 1_000_000
        let payload = arguments.dropFirst().first ?? 256
        let batch = arguments.dropFirst(2).first ?? 1_000
        let slots = arguments.dropFirst(3).first ?? 1
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("worker-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let endpoint = "ipc://\(folder.path)/w"

        let process = Process()
        process.executableURL = Bundle.main.bundleURL.appendingPathComponent("statex")
        process.arguments = [
            "worker", "--endpoint", endpoint, "--slots", "\(slots)", "--handlers", "noop", "--set",
            "data_dir=\(folder.path)",
        ]
        var scheduler = try JournalessScheduler(endpoint, payloadBytes: payload, jobsInMessage: batch)
        try process.run()
        // Not drained: nobody would answer its last outcomes.
        defer { kill(process.processIdentifier, SIGKILL) }
        try scheduler.greet()
        // Warm: credit has grown to what the worker takes.
        try scheduler.lease(jobs: jobs / 10)
        let cpu = cpuSeconds(process.processIdentifier)
        let start = clinux_monotonic_nanoseconds()
        let messages = scheduler.outcomeMessages
        try scheduler.lease(jobs: jobs)
        let seconds = Double(clinux_monotonic_nanoseconds() - start) / 1e9
        let used = cpuSeconds(process.processIdentifier) - cpu
        let perMessage = Double(jobs) / Double(max(scheduler.outcomeMessages - messages, 1))
        print(
            """
            {"jobs_per_second":\(Int(Double(jobs) / seconds)),"worker_cpu_microseconds_per_job":\
            \(used / Double(jobs) * 1e6),"outcomes_per_message":\(Int(perMessage)),"credit":\(scheduler.credit)}
            """)
    }

    /// User and system time of a process so far.
    static func cpuSeconds(_ process: Int32) -> Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return 0 }
        let fields = text[end...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else { return 0 }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// Leases while there is credit, and says durable at once.
struct JournalessScheduler: ~Copyable {
    private let socket: Socket
    private let stamp = SessionStamp(session: 1, incarnation: 1, epoch: 1)
    private let payload: [UInt8]
    private let jobsInMessage: Int
    private var peer: RoutingID?
    private var poller = Poller()
    private var frame = Frame()
    private var buffer = ByteBuffer()
    private var answer = ByteBuffer()
    private var token: UInt64 = 0
    private var held = 0
    private(set) var credit = 0
    private(set) var outcomeMessages = 0

    init(_ endpoint: String, payloadBytes: Int, jobsInMessage: Int) throws {
        let socket = try Socket(.router, in: try ZeroMQContext())
        try socket.setLinkOptions(maximumMessageBytes: Limits.messageBytes)
        try socket.setMandatory()
        try socket.bind(endpoint)
        self.socket = socket
        payload = [UInt8](repeating: 120, count: payloadBytes)
        self.jobsInMessage = jobsInMessage
    }

    mutating func greet() throws {
        while credit == 0 { try receive() }
    }

    /// Returns when so many more jobs have ended.
    mutating func lease(jobs: Int) throws {
        var left = jobs
        var ended = 0
        while ended < jobs {
            while left > 0, credit - held >= min(jobsInMessage, left) || held == 0 {
                let count = min(jobsInMessage, left, max(credit - held, 1))
                try send(count)
                left -= count
            }
            ended += try receive()
        }
    }

    private mutating func send(_ count: Int) throws {
        buffer.removeAll()
        Header(.leases, recordLength: LeaseRecord.size, stamp: stamp, count: count).write(to: &buffer)
        for _ in 0..<count {
            token += 1
            LeaseRecord(
                id: JobID(rawValue: token), token: token, runLimitMilliseconds: 0, payloadLength: UInt32(payload.count),
                attempt: 1, kind: 0, encoding: 0
            ).write(to: &buffer)
            buffer.append(payload)
        }
        held += count
        guard let peer else { return }
        while try socket.send(buffer.bytes, to: peer) == .full {}
    }

    /// Waits for a message and acts on it; returns how many jobs it ended.
    @discardableResult
    private mutating func receive() throws -> Int {
        guard try socket.receive(into: frame) else {
            poller.removeAll()
            poller.add(socket)
            _ = try poller.wait(milliseconds: 1_000)
            return 0
        }
        peer = RoutingID(frame.bytes)
        guard frame.hasMore, try socket.receive(into: frame), let peer else { return 0 }
        let header = try Header(reading: frame.bytes)
        answer.removeAll()
        var ended = 0
        switch header.type {
        case .hello:
            Welcome(stamp: stamp, heartbeatMilliseconds: 1_000, leaseMilliseconds: 10_000, lastSequence: 0)
                .write(to: &answer)
        case .heartbeat: Bare.write(.heartbeat, stamp: stamp, to: &answer)
        case .credit: credit = try Credit.read(frame.bytes, header: header)
        case .outcomes:
            credit = try OutcomeRecord.readCredit(frame.bytes, header: header)
            var cursor = try header.recordCursor(atLeast: OutcomeRecord.size)
            Header(.durable, recordLength: TokenRecord.size, stamp: stamp, count: Int(header.count)).write(to: &answer)
            for _ in 0..<header.count {
                let outcome = try OutcomeRecord(reading: &cursor, header: header, in: frame.bytes)
                TokenRecord(outcome.id, token: outcome.token).write(to: &answer)
            }
            ended = Int(header.count)
            held -= ended
            outcomeMessages += 1
        default: break
        }
        if !answer.isEmpty { while try socket.send(answer.bytes, to: peer) == .full {} }
        return ended
    }
}
