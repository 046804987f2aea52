// A worker whose jobs a test holds in its hand. A job of kind `gate` names a socket; its handler
// connects there, says which attempt runs in which process, and does what it is told: one byte, `s`
// succeed or `f` fail. A job of kind `spin` computes for as many seconds as its payload says. It has the native
// handlers too.
//
// Usage: GateWorker ENDPOINT SLOTS NAME

import Dispatch
import Glibc
import StatexHandlerAPI
import StatexHandlers
import StatexStack
import StatexWorkerRuntime

struct GateHandler: Handler {
    let kind = "gate"

    func run(_ job: Job) async throws -> Payload {
        guard case .bytes(let path) = job.payload else {
            throw HandlerError("bad_payload", "gate takes the path of a socket", retryable: false)
        }
        let visit = try Visit(to: String(decoding: path, as: UTF8.self))
        defer { visit.leave() }
        visit.say("\(job.id) \(job.attempt) \(getpid())\n")
        job.cancellation.onCancel { _ in visit.hangUp() }
        defer { job.cancellation.onCancel(nil) }
        switch visit.order() {
        case UInt8(ascii: "s"): return .bytes(Array("attempt \(job.attempt)".utf8) + inputs(of: job))
        case UInt8(ascii: "f"): throw HandlerError("asked_to_fail", "failed as asked", retryAfterMilliseconds: 1)
        default: throw HandlerError("hung_up", "stopped, or nobody holds the gate any more")
        }
    }
}

/// The same, and it hands a checkpoint over before it waits: its result says what it was given.
struct ResumeHandler: Handler {
    let kind = "resume"

    func run(_ job: Job) async throws -> Payload {
        try job.save(checkpoint: Array("attempt \(job.attempt)".utf8))
        job.put("attempt \(job.attempt)\n")
        _ = try await GateHandler().run(job)
        return .bytes(job.checkpoint ?? [])
    }
}

/// Keeps its slot's thread busy, and reacts to nothing.
struct SpinHandler: Handler {
    let kind = "spin"

    func run(_ job: Job) async throws -> Payload {
        guard case .bytes(let bytes) = job.payload, let seconds = Int(String(decoding: bytes, as: UTF8.self)) else {
            throw HandlerError("bad_payload", "spin takes a number of seconds", retryable: false)
        }
        let end = ContinuousClock.now + .seconds(seconds)
        while ContinuousClock.now < end {}
        return job.payload
    }
}

/// What it was given, for the test to see.
func inputs(of job: Job) -> [UInt8] {
    job.inputs.flatMap { input -> [UInt8] in
        guard case .bytes(let bytes) = input.payload else { return [] }
        return Array(" on ".utf8) + bytes
    }
}

/// One connection to the gate.
struct Visit: Sendable {
    private let socket: Int32

    init(to path: String) throws(HandlerError) {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let fits = withUnsafeMutableBytes(of: &address.sun_path) { target in
            guard path.utf8.count < target.count else { return false }
            target.copyBytes(from: path.utf8)
            return true
        }
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard fits, connected == 0 else {
            close(socket)
            throw HandlerError("no_gate", "there is no gate at \(path)")
        }
    }

    func say(_ text: String) { _ = send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) }

    /// Blocks this slot's thread until an order comes; nil: it never will.
    func order() -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(socket, &byte, 1)
            if count == 1 { return byte }
            if count < 0 && errno == EINTR { continue }
            return nil
        }
    }

    func hangUp() { shutdown(socket, Int32(SHUT_RDWR)) }
    func leave() { close(socket) }
}

let arguments = CommandLine.arguments
guard arguments.count == 4, let slots = Int(arguments[2]) else {
    print("usage: GateWorker ENDPOINT SLOTS NAME")
    exit(2)
}
var options = WorkerOptions()
options.name = arguments[3]
options.onReady = { announceReady() }
let worker = try Worker(
    endpoint: arguments[1], slots: slots,
    handlers: [GateHandler(), ResumeHandler(), SpinHandler()] + NativeHandlers.all,
    options: options)
signal(SIGTERM, SIG_IGN)
let stop = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
// `@Sendable`: top-level code is of the main actor, and the handler runs elsewhere.
stop.setEventHandler { @Sendable in worker.drain() }
stop.resume()
try await worker.run()
