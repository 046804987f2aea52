import Synchronization

/// Carries one value that cannot be copied into a thread: put in once, taken out once.
package final class Moved<Value: ~Copyable>: Sendable {
    private let value: Mutex<Value?>

    package init(_ value: consuming sending Value) { self.value = Mutex(consume value) }

    /// The value; nil the second time.
    package func take() -> sending Value? {
        value.withLock { value in
            let taken = value.take()
            return taken
        }
    }
}
