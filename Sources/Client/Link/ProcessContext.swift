import StatexZeroMQ
import Synchronization

/// The ZeroMQ context that all clients of a process share, for the life of the process.
package enum ProcessContext {
    private static let context = Mutex<ZeroMQContext?>(nil)

    package static func shared() throws(ClientError) -> ZeroMQContext {
        do {
            return try context.withLock { context throws(ZeroMQError) in
                if let context { return context }
                let new = try ZeroMQContext()
                context = new
                return new
            }
        } catch { throw .unreachable(error.description) }
    }
}
