import CLinux
import Glibc

/// A thread of its own, with a name that `top -H` and `perf` show.
package struct NamedThread: Sendable {
    private let thread: pthread_t

    /// - Parameter body: runs to its end on the new thread.
    package init(_ name: String, stackBytes: Int = 1 << 20, _ body: @escaping @Sendable () -> Void) {
        final class Start {
            let name: String
            let body: @Sendable () -> Void
            init(name: String, body: @escaping @Sendable () -> Void) {
                self.name = name
                self.body = body
            }
        }
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackBytes)
        defer { pthread_attr_destroy(&attributes) }
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, &attributes,
            { raw in
                guard let raw else { return nil }
                let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
                clinux_name_thread(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        // Without its threads no process of Statex can do anything; there is nothing to hand the error to.
        precondition(code == 0, "no thread could be started: \(String(cString: strerror(code)))")
        self.thread = thread
    }

    /// Nobody will join it: what it holds is given back when its body ends.
    package func detach() { pthread_detach(thread) }

    /// Waits until the body has ended.
    package func join() { pthread_join(thread, nil) }
}
