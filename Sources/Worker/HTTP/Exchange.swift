import StatexHandlerAPI
import StatexThreads

/// One request and its response, within the attempt's time.
struct Exchange {
    private let settings: HTTPSettings
    private let server: ServerAddress
    private let cancellation: Cancellation
    private let limitMilliseconds: Int
    private let patience: Patience

    /// The time begins now.
    init(_ job: Job, _ settings: HTTPSettings, _ server: ServerAddress, stop: Wakeup) {
        self.settings = settings
        self.server = server
        cancellation = job.cancellation
        limitMilliseconds = [settings.timeoutMilliseconds, job.runLimitMilliseconds].filter { $0 > 0 }.min() ?? .max
        patience = Patience(deadline: .now + .milliseconds(limitMilliseconds), stop: stop)
    }

    /// The response, complete, whatever its status.
    func ask(_ request: [UInt8]) throws(HandlerError) -> ResponseParser {
        var connection = try connect()
        connection.send(request)
        var limits = ResponseLimits()
        limits.bodyBytes = settings.readsBody ? settings.responseBytes : .max
        var response = ResponseParser(limits)
        while !response.isComplete, settings.readsBody || response.head == nil {
            try receive(&response, from: &connection)
            // A refusal before the end of the request is one of its rest, too.
            if let head = response.head, head.status >= 300 { connection.stopSending() }
        }
        return response
    }

    private func connect() throws(HandlerError) -> Connection {
        var patience = patience
        patience.deadline = min(patience.deadline, .now + .milliseconds(settings.connectMilliseconds))
        do throws(TransportFault) {
            return try Connection.open(
                to: server, at: settings.addresses(server, patience), authorities: settings.authorities, patience)
        } catch {
            switch error {
            case .stopped: throw stopped
            case .deadline where self.patience.deadline <= .now: throw late
            case .deadline:
                throw HandlerError(
                    .connect, "\(server.authority) did not answer within \(settings.connectMilliseconds) ms",
                    retryable: true)
            case .broken(let reason):
                throw HandlerError(.connect, "no connection to \(server.authority): \(reason)", retryable: true)
            case .refused(let reason): throw HandlerError(.address, reason, retryable: false)
            }
        }
    }

    private func receive(_ response: inout ResponseParser, from connection: inout Connection) throws(HandlerError) {
        let event: Connection.Event
        do throws(TransportFault) {
            event = try connection.next(patience)
        } catch {
            switch error {
            case .stopped: throw stopped
            case .deadline: throw late
            case .broken(let reason), .refused(let reason):
                throw HandlerError(.broken, "the connection to \(server.authority) broke: \(reason)", retryable: true)
            }
        }
        do throws(ResponseFault) {
            switch event {
            case .received(let bytes): try response.received(bytes)
            case .ended(let cleanly): try response.ended(cleanly: cleanly)
            }
        } catch {
            throw HandlerError(error)
        }
    }

    /// Gives `body` what is signalled when the attempt is to end.
    static func stopping(
        with job: Job, _ body: (Wakeup) throws(HandlerError) -> Payload
    ) throws(HandlerError) -> Payload {
        let stop: Wakeup
        do {
            stop = try Wakeup()
        } catch {
            throw HandlerError(.connect, "\(error)", retryable: true)
        }
        job.cancellation.onCancel { _ in stop.signal() }
        defer { job.cancellation.onCancel(nil) }
        return try body(stop)
    }

    private var stopped: HandlerError { HandlerError(cancellation.reason ?? .revoked) }

    private var late: HandlerError {
        HandlerError(.timeout, "no complete response within \(limitMilliseconds) ms", retryable: true)
    }
}
