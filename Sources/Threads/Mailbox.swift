import Synchronization

/// Where two threads meet: any thread puts messages in, one takes them all out.
package final class Mailbox<Message: Sendable>: Sendable {
    private let messages = Mutex<[Message]>([])
    private let wakeup: Wakeup

    /// - Parameter wakeup: signalled when the box stops being empty.
    package init(wakeup: Wakeup) { self.wakeup = wakeup }

    package func put(_ message: Message) {
        let wasEmpty = messages.withLock { messages in
            messages.append(message)
            return messages.count == 1
        }
        if wasEmpty { wakeup.signal() }
    }

    /// Everything that was put in since the last call, in order.
    package func takeAll() -> [Message] {
        messages.withLock { messages in
            let taken = messages
            messages = []
            return taken
        }
    }
}
