// One request and its answer, on the thread of the caller: NIO's threads only move bytes; the caller's reads the
// file that is sent and takes what arrives, so a slow disk holds up nobody else. What is not taken yet is not asked
// for, so memory is a few pieces.

import AsyncHTTPClient
import Dispatch
import NIOCore
import NIOHTTP1
import StatexObjects
import Synchronization

struct Answer {
    let head: HTTPResponseHead
    /// The beginning of a body that is no success.
    let problem: [UInt8]

    var isSuccess: Bool { head.isSuccess }
}

extension HTTPResponseHead {
    var isSuccess: Bool { (200..<300).contains(status.code) }
}

final class Exchange: HTTPClientResponseDelegate {
    typealias Response = Void

    private enum Event {
        case mayWrite(HTTPClient.Body.StreamWriter, EventLoopPromise<Void>)
        case written((any Error)?)
        case head(HTTPResponseHead)
        case part(ByteBuffer, EventLoopPromise<Void>)
        /// The last one.
        case ended((any Error)?)
    }

    private struct State {
        var events: [Event] = []
        var isOver = false
    }

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)

    /// An error has a few hundred bytes.
    private static let maximumProblem = 64 << 10
    /// The rest of an error comes with its head; a deadline that passed is told at once.
    private static let lull = TimeAmount.milliseconds(500)

    // MARK: On the caller's thread

    /// - Parameter receive: gets the body of a success, piece by piece; what it throws ends the exchange.
    func run(
        _ client: HTTPClient, _ request: HTTPClient.Request, _ upload: Upload?, deadline: NIODeadline,
        receive: (UnsafeRawBufferPointer) throws(ObjectError) -> Void
    ) throws(S3Failure) -> Answer {
        let task = client.execute(request: streaming(request, upload, client), delegate: self, deadline: deadline)
        task.futureResult.whenComplete { result in
            if case .failure(let error) = result { self.put(.ended(error)) } else { self.put(.ended(nil)) }
        }
        var sending: Sending?
        var head: HTTPResponseHead?
        var problem: [UInt8] = []
        var failure: ObjectError?
        func trying(_ body: () throws(ObjectError) -> Void) {
            do throws(ObjectError) { try body() } catch {
                failure = error
                task.cancel()
            }
        }
        while true {
            // A service that refuses may answer before it has read everything. Then nothing may ever wake the sender.
            let isRefused = head?.isSuccess == false && sending?.isUnderWay == true
            guard let event = next(until: isRefused ? min(.now() + Self.lull, deadline) : deadline + Self.lull) else {
                guard !isRefused else {
                    sending?.end(RefusedEarly())
                    continue
                }
                close()
                sending?.end(HTTPClientError.deadlineExceeded)
                task.cancel()
                throw S3Failure(connection: HTTPClientError.deadlineExceeded)
            }
            switch event {
            case .mayWrite(let writer, let promise):
                sending = upload.map { Sending($0, writer, promise) }
                trying { () throws(ObjectError) in try sending?.go(on: self) }
            case .written(nil):
                if !isRefused { trying { () throws(ObjectError) in try sending?.go(on: self) } }
            // What became of the exchange is yet to come.
            case .written(let error): sending?.end(error)
            case .head(let arrived): head = arrived
            case .part(let buffer, let promise):
                if failure == nil, head?.isSuccess == true {
                    trying { () throws(ObjectError) in try buffer.withBytes(receive) }
                } else {
                    problem += buffer.readableBytesView.prefix(Self.maximumProblem - problem.count)
                }
                promise.succeed()
            case .ended(let error):
                close()
                sending?.end(error ?? HTTPClientError.cancelled)
                if let failure { throw .local(failure) }
                guard let head, error == nil || error is RefusedEarly else { throw S3Failure(connection: error) }
                return Answer(head: head, problem: problem)
            }
        }
    }

    /// The answer stands; what is left to send is not wanted.
    private struct RefusedEarly: Error {}

    private func streaming(
        _ request: HTTPClient.Request, _ upload: Upload?, _ client: HTTPClient
    ) -> HTTPClient.Request {
        guard let upload else { return request }
        var request = request
        let loop = client.eventLoopGroup.any()
        request.body = .stream(contentLength: Int64(clamping: upload.size)) { [self] writer in
            let promise = loop.makePromise(of: Void.self)
            put(.mayWrite(writer, promise))
            return promise.futureResult
        }
        return request
    }

    func write(_ piece: ByteBuffer, to writer: HTTPClient.Body.StreamWriter) {
        writer.write(.byteBuffer(piece)).whenComplete { result in
            if case .failure(let error) = result { self.put(.written(error)) } else { self.put(.written(nil)) }
        }
    }

    private func next(until deadline: NIODeadline) -> Event? {
        while true {
            let nanoseconds = max(0, (deadline - .now()).nanoseconds)
            let isThere = arrived.wait(timeout: .now() + .nanoseconds(Int(clamping: nanoseconds))) == .success
            let event = state.withLock { $0.events.isEmpty ? nil : $0.events.removeFirst() }
            if event != nil || !isThere { return event }
        }
    }

    // MARK: On NIO's threads

    private func put(_ event: Event) {
        let isTaken = state.withLock { state in
            if !state.isOver { state.events.append(event) }
            return !state.isOver
        }
        if isTaken { arrived.signal() } else { Self.drop(event) }
    }

    private func close() {
        let left = state.withLock { state in
            state.isOver = true
            return exchange(&state.events, [])
        }
        left.forEach(Self.drop)
    }

    /// Nobody waits for it any more, but a promise must be kept.
    private static func drop(_ event: Event) {
        switch event {
        case .mayWrite(_, let promise): promise.fail(HTTPClientError.cancelled)
        case .part(_, let promise): promise.succeed()
        case .written, .head, .ended: break
        }
    }

    func didReceiveHead(task: HTTPClient.Task<Void>, _ head: HTTPResponseHead) -> EventLoopFuture<Void> {
        put(.head(head))
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        let promise = task.eventLoop.makePromise(of: Void.self)
        put(.part(buffer, promise))
        return promise.futureResult
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) {}
}

private func exchange<Value>(_ value: inout Value, _ new: Value) -> Value {
    let old = value
    value = new
    return old
}

extension ByteBuffer {
    fileprivate func withBytes(
        _ body: (UnsafeRawBufferPointer) throws(ObjectError) -> Void
    ) throws(ObjectError) {
        // NIO's own method has untyped throws.
        let result: Result<Void, ObjectError> = withUnsafeReadableBytes { bytes in
            Result { () throws(ObjectError) in try body(bytes) }
        }
        try result.get()
    }
}
