import CLinux
import ServiceLifecycle

/// Gives back what bursts took. Freed memory lies between what lives on, and the C library keeps it by itself: many who
/// came and went would leave a process that is as large as they were.
struct MemoryReturn: Service {
    var pause = GatewayLimits.memoryPause

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while (try? await Task.sleep(for: pause)) != nil { clinux_return_free_memory() }
        }
    }
}
