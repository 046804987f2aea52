import CZeroMQ

/// The one libzmq context of a process (a second one meets a libsodium bug of 4.3.4).
///
/// Its sockets must be gone before it is: the owner keeps it longer than them.
package final class ZeroMQContext: Sendable {
    // A context may be used from any thread (zmq_ctx_new(3)); the pointer never changes.
    nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

    package init() throws(ZeroMQError) {
        guard let pointer = zmq_ctx_new() else { throw .last("zmq_ctx_new") }
        self.pointer = pointer
        // Closing a socket must never hang on unsent messages: durability is not the socket's job.
        zmq_ctx_set(pointer, ZMQ_BLOCKY, 0)
        // One, as by itself: `RoundTrip` is a proof because there are not two.
        zmq_ctx_set(pointer, ZMQ_IO_THREADS, 1)
    }

    deinit {
        while zmq_ctx_term(pointer) != 0 && zmq_errno() == EINTR {}
    }
}
