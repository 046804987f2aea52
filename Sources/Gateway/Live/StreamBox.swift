import NIOCore
import Synchronization

/// What lies between those who tell a stream something and the connection that takes it: bytes, and never more of
/// them than a client may be behind. Whoever is slower loses the connection, and nobody waits for it.
final class StreamBox: Sendable {
    private typealias Waiter = CheckedContinuation<Void, Never>

    private struct State {
        var bytes = NIOCore.ByteBuffer()
        var isOver = false
        var reader: Waiter?
        /// Who has time, and waits until everything was taken.
        var writer: Waiter?

        var hasNews: Bool { isOver || bytes.readableBytes > 0 }
    }

    private let state = Mutex(State())
    private let limit: Int
    private let cut: @Sendable () -> Void

    /// - Parameters:
    ///   - limit: so many bytes may wait; one more piece is taken beyond it.
    ///   - cut: closes the connection of a client that is too slow: it may hang in a write for ever.
    init(limit: Int, cut: @escaping @Sendable () -> Void) {
        self.limit = limit
        self.cut = cut
    }

    /// Whether everything was taken, and there may be more.
    var isEmpty: Bool { state.withLock { !$0.hasNews } }

    /// Whether nothing more is put in: it ended, or its client has gone.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// For those who never wait.
    func put(_ bytes: [UInt8]) {
        let isTooSlow = change { state in
            guard !state.isOver else { return false }
            guard state.bytes.readableBytes <= limit else {
                state.bytes = NIOCore.ByteBuffer()
                state.isOver = true
                return true
            }
            state.bytes.writeBytes(bytes)
            return false
        }
        if isTooSlow { cut() }
    }

    /// For those who may wait until everything before it was taken: what they have to say gathers meanwhile.
    func putWhenEmpty(_ bytes: [UInt8]) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { (continuation: Waiter) in
                let isReady = state.withLock { state in
                    if state.isOver || state.bytes.readableBytes == 0 { return true }
                    state.writer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            end()
        }
        put(bytes)
    }

    /// Nothing follows: what is there is still sent.
    func end() { change { $0.isOver = true } }

    /// Nothing of it is sent.
    func close() {
        change { state in
            state.bytes = NIOCore.ByteBuffer()
            state.isOver = true
        }
    }

    /// The connection too: its client may take nothing any more, and say nothing.
    func cutOff() {
        close()
        cut()
    }

    /// The next bytes, all that are there; nil: there are no more.
    func next() async -> NIOCore.ByteBuffer? {
        await withTaskCancellationHandler {
            while true {
                let (bytes, isOver) = take()
                if let bytes { return bytes }
                if isOver { return nil }
                await withCheckedContinuation { (continuation: Waiter) in
                    let isReady = state.withLock { state in
                        if !state.hasNews { state.reader = continuation }
                        return state.hasNews
                    }
                    if isReady { continuation.resume() }
                }
            }
        } onCancel: {
            end()
        }
    }

    private func take() -> (NIOCore.ByteBuffer?, isOver: Bool) {
        change { state in
            guard state.bytes.readableBytes > 0 else { return (nil, state.isOver) }
            defer { state.bytes = NIOCore.ByteBuffer() }
            return (state.bytes, state.isOver)
        }
    }

    /// Changes the state, and wakes those for whom that is what they wait for.
    @discardableResult
    private func change<T>(_ body: (inout State) -> T) -> T {
        let (result, reader, writer) = state.withLock { state -> (T, Waiter?, Waiter?) in
            let result = body(&state)
            let reader = state.hasNews ? state.reader : nil
            let writer = state.isOver || state.bytes.readableBytes == 0 ? state.writer : nil
            if reader != nil { state.reader = nil }
            if writer != nil { state.writer = nil }
            return (result, reader, writer)
        }
        reader?.resume()
        writer?.resume()
        return result
    }
}
