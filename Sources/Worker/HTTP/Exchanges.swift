import Foundation
import FoundationNetworking
import StatexHandlerAPI
import Synchronization

/// What a server answered.
struct Answer: Sendable {
    var status: Int
    var retryAfter: String?
    var body: [UInt8]
}

/// The requests of one handler that are under way, over one `URLSession`.
final class Exchanges: Sendable {
    private let delegate = ExchangeDelegate()
    private let session: URLSession

    init() {
        let configuration = URLSessionConfiguration.ephemeral
        configuration.urlCache = nil
        configuration.httpCookieStorage = nil
        // The worker's slots bound what runs at the same time.
        configuration.httpMaximumConnectionsPerHost = 4_096
        session = URLSession(configuration: configuration, delegate: delegate, delegateQueue: nil)
    }

    func close() { session.invalidateAndCancel() }

    func perform(_ request: URLRequest, limits: HTTPHandlerSettings, cancellation: Cancellation)
        async throws(HandlerError)
        -> Answer
    {
        let task = session.dataTask(with: request)
        let exchange = Exchange(task, largestBody: limits.largestResponseBytes)
        let timers = [
            Self.after(limits.connectTimeout) { exchange.stop(.connecting) },
            Self.after(limits.timeout) { exchange.stop(.timeout) },
        ]
        defer { for timer in timers { timer.cancel() } }
        cancellation.onCancel { _ in exchange.stop(.cancelled) }
        defer { cancellation.onCancel(nil) }
        delegate.add(exchange, for: task)
        defer { delegate.remove(task) }
        let result = await withCheckedContinuation { exchange.begin($0) }
        return try result.get()
    }

    private static func after(_ seconds: Double, _ body: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        Task {
            do { try await Task.sleep(for: .seconds(seconds)) } catch { return }
            body()
        }
    }
}

/// One request: gathers the answer, and tells its end once.
final class Exchange: Sendable {
    enum Stop: Sendable {
        /// No connection in time.
        case connecting
        case timeout
        case cancelled
        case tooLarge
    }

    private struct State {
        var continuation: CheckedContinuation<Result<Answer, HandlerError>, Never>?
        var answer = Answer(status: 0, retryAfter: nil, body: [])
        var hasLeft = false
        var stop: Stop?
    }

    private let task: URLSessionTask
    private let largestBody: Int
    private let state = Mutex(State())

    init(_ task: URLSessionTask, largestBody: Int) {
        self.task = task
        self.largestBody = largestBody
    }

    /// Sends the request, unless it was stopped already.
    func begin(_ continuation: CheckedContinuation<Result<Answer, HandlerError>, Never>) {
        let isStopped = state.withLock { state in
            state.continuation = continuation
            return state.stop != nil
        }
        if isStopped { ended(nil) } else { task.resume() }
    }

    /// Ends the request early; the first reason stands.
    func stop(_ reason: Stop) {
        let stops = state.withLock { state -> Bool in
            guard state.stop == nil, reason != .connecting || !state.hasLeft else { return false }
            state.stop = reason
            return true
        }
        guard stops else { return }
        task.cancel()
        // Not left to the session, which has been seen to keep silent about a task that was cancelled.
        ended(nil)
    }

    /// The request is on its way: a connection stands.
    func left() { state.withLock { $0.hasLeft = true } }

    func received(_ response: HTTPURLResponse) {
        state.withLock { state in
            state.hasLeft = true
            state.answer.status = response.statusCode
            state.answer.retryAfter = response.value(forHTTPHeaderField: "Retry-After")
        }
        if response.expectedContentLength > Int64(largestBody) { stop(.tooLarge) }
    }

    func received(_ data: Data) {
        let fits = state.withLock { state in
            guard state.answer.body.count + data.count <= largestBody else { return false }
            state.answer.body.append(contentsOf: data)
            return true
        }
        if !fits { stop(.tooLarge) }
    }

    func ended(_ error: (any Error)?) {
        let ended = state.withLock { state in
            let continuation = state.continuation
            state.continuation = nil
            return (continuation, state.answer, state.stop)
        }
        ended.0?.resume(returning: result(ended.1, ended.2, error))
    }

    private func result(_ answer: Answer, _ stop: Stop?, _ error: (any Error)?) -> Result<Answer, HandlerError> {
        switch stop {
        case .connecting: .failure(HandlerError("network", "the server could not be reached in time"))
        case .timeout: .failure(HandlerError("http_timeout", "the server did not answer in time"))
        case .cancelled: .failure(HandlerError("stopped", "stopped before the server had answered"))
        case .tooLarge:
            .failure(
                HandlerError("response_too_large", "the answer has more than \(largestBody) bytes", retryable: false))
        case nil:
            if let error {
                .failure(HandlerError("network", Self.words(for: error)))
            } else if answer.status == 0 {
                .failure(HandlerError("network", "the server gave no HTTP answer"))
            } else {
                .success(answer)
            }
        }
    }

    /// The code alone: descriptions of `URLError` hold the URL.
    private static func words(for error: any Error) -> String {
        guard let code = (error as? URLError)?.code else { return "the connection failed" }
        switch code {
        case .cannotConnectToHost: return "the server refused the connection"
        case .cannotFindHost, .dnsLookupFailed: return "the server's name is unknown"
        case .timedOut: return "the server did not answer in time"
        case .networkConnectionLost: return "the connection was lost"
        default: return "the connection failed (URLError \(code.rawValue))"
        }
    }
}

/// Leads the callbacks of the session to their exchange.
private final class ExchangeDelegate: NSObject, URLSessionDataDelegate {
    private let exchanges = Mutex<[Int: Exchange]>([:])

    func add(_ exchange: Exchange, for task: URLSessionTask) {
        exchanges.withLock { $0[task.taskIdentifier] = exchange }
    }

    func remove(_ task: URLSessionTask) { exchanges.withLock { $0[task.taskIdentifier] = nil } }

    private func exchange(of task: URLSessionTask) -> Exchange? { exchanges.withLock { $0[task.taskIdentifier] } }

    func urlSession(
        _ session: URLSession, task: URLSessionTask, didSendBodyData bytesSent: Int64, totalBytesSent: Int64,
        totalBytesExpectedToSend: Int64
    ) { exchange(of: task)?.left() }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        if let response = response as? HTTPURLResponse { exchange(of: dataTask)?.received(response) }
        completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        exchange(of: dataTask)?.received(data)
    }

    /// A redirect would carry the key to another server: it is the answer.
    func urlSession(
        _ session: URLSession, task: URLSessionTask, willPerformHTTPRedirection response: HTTPURLResponse,
        newRequest request: URLRequest, completionHandler: @escaping (URLRequest?) -> Void
    ) {
        exchange(of: task)?.received(response)
        completionHandler(nil)
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        exchange(of: task)?.ended(error)
    }
}
