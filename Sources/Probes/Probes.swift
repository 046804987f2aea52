// What a supervisor and a Prometheus ask of a process: `/livez`, `/readyz` and `/metrics`. Nothing here waits for a
// thread that works: all of them are answered from what that published last.

import HTTPTypes
import Hummingbird
import NIOCore
import StatexMetrics

/// The three answers of one process.
package struct Probes: Sendable {
    package var metrics: @Sendable (inout MetricsText) -> Void
    package var live: @Sendable () -> Health
    package var ready: @Sendable () -> Health

    package init(
        metrics: @escaping @Sendable (inout MetricsText) -> Void, live: @escaping @Sendable () -> Health,
        ready: @escaping @Sendable () -> Health
    ) {
        self.metrics = metrics
        self.live = live
        self.ready = ready
    }

    /// Adds the three paths to a router, of this listener or of the gateway.
    package func add(to router: some RouterMethods<some RequestContext>) {
        router.get("metrics") { _, _ in
            Self.response(.ok, Self.page(metrics), MetricsText.contentType)
        }
        router.get("livez") { _, _ in Self.response(live()) }
        router.get("readyz") { _, _ in Self.response(ready()) }
    }

    /// What a process says of itself, with what each says of itself.
    package static func page(_ metrics: (inout MetricsText) -> Void) -> [UInt8] {
        var text = MetricsText()
        text.gauge(
            "statex_build_info", "1; the label says which version runs.", [([("version", statexVersion)], 1)])
        metrics(&text)
        ProcessFigures.read()?.write(to: &text)
        return text.bytes
    }

    private static func response(_ health: Health) -> Response {
        response(health.isGood ? .ok : .serviceUnavailable, health.json, "application/json")
    }

    private static func response(_ status: HTTPResponse.Status, _ bytes: [UInt8], _ type: String) -> Response {
        Response(
            status: status,
            headers: [
                .contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            ],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

/// The version of Statex: of its programs, in their metrics and in status.
package let statexVersion = "0.1.0"
