import CZeroMQ

/// One received frame. Its bytes are lent, not copied; receiving again replaces them.
package struct Frame: ~Copyable {
    // On the heap, because libzmq keeps short contents inside the `zmq_msg_t` itself: its address must
    // not change while bytes are lent. The pointer never leaves this room.
    let message: UnsafeMutablePointer<zmq_msg_t>

    package init() {
        message = .allocate(capacity: 1)
        zmq_msg_init(message)
    }

    deinit {
        zmq_msg_close(message)
        message.deallocate()
    }

    /// Another frame of the same message follows.
    package var hasMore: Bool { zmq_msg_more(message) != 0 }

    /// The descriptor of the connection that it came over. Reused by the kernel: a hint.
    package var sourceDescriptor: Int32 { zmq_msg_get(message, ZMQ_SRCFD) }

    package var bytes: RawSpan {
        @_lifetime(borrow self)
        get {
            let span = RawSpan(_unsafeStart: UnsafeRawPointer(zmq_msg_data(message)), byteCount: zmq_msg_size(message))
            return _overrideLifetime(span, borrowing: self)
        }
    }
}
