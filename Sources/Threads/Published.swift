import Synchronization

/// The newest value of a thread, for others to look at: neither waits for the other.
package final class Published<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)

    package init() {}

    package func publish(_ newest: Value) {
        // What was there before is let go of outside the lock.
        _ = value.withLock { value -> Value? in
            defer { value = newest }
            return value
        }
    }

    /// nil: nothing was published yet.
    package var latest: Value? { value.withLock { $0 } }
}
