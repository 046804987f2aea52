import StatexHandlerAPI
import StatexProtocol
import Synchronization
import Testing

@testable import StatexHTTPHandler

/// A key as real ones are.
let secret = "sk-4f9a81c27b5d6e30"

/// One attempt with a server that plays `script`; what came of it.
func ask(
    _ payload: String = #"{"prompt":"x"}"#, key: String? = nil, timeout: Int = 20_000, responseBytes: Int = 16 << 20,
    cancellation: Cancellation = Cancellation(), server script: @escaping @Sendable (Peer) -> Void
) -> Result<String, HandlerError> {
    let server = ScriptedServer(script)
    defer { server.stop() }
    var settings = HTTPSettings(kind: "test", url: server.url, path: "/v1/completions")
    settings.readKey = { () throws(UnreadableKey) in key }
    settings.timeoutMilliseconds = timeout
    settings.responseBytes = responseBytes
    return ask(Array(payload.utf8), settings, cancellation)
}

func ask(
    _ payload: [UInt8], _ settings: HTTPSettings, _ cancellation: Cancellation = Cancellation(),
    inputs: [JobInput] = [], trace: TraceContext? = nil
) -> Result<String, HandlerError> {
    let job = Job(
        id: JobID(rawValue: 1), kind: "test", attempt: 1, payload: .bytes(payload), inputs: inputs,
        cancellation: cancellation, trace: trace)
    return Result { () throws(HandlerError) in
        guard case .bytes(let bytes) = try HTTPHandler(settings).attempt(job) else { return "a reference" }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension Result where Failure == HandlerError {
    var error: HandlerError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

/// What a script saw, for the test to look at.
final class Seen: Sendable {
    private let requests = Mutex<[ReceivedRequest]>([])
    var first: ReceivedRequest? { requests.withLock { $0.first } }
    func add(_ request: ReceivedRequest) { requests.withLock { $0.append(request) } }
}
