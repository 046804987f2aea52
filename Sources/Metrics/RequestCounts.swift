import Synchronization

/// What became of the HTTP requests of a server, for its `/metrics`. Here a lock will do: a request costs far more.
package final class RequestCounts: Sendable {
    private struct Series: Hashable {
        var route: String
        var method: String
        var status: Int
    }

    private struct Counts {
        var ended: [Series: UInt64] = [:]
        var times: [String: Histogram] = [:]
        var problems: [String: UInt64] = [:]
        var open = 0
    }

    /// Beyond it a route is `other`: only a server that names routes by what strangers ask for has so many.
    private static let routes = 128
    private static let methods: Set = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    private let counts = Mutex(Counts())

    package init() {}

    /// A request is being answered.
    package func began() { counts.withLock { $0.open += 1 } }

    /// It was answered, or its client went.
    ///
    /// - Parameters:
    ///   - route: the pattern, such as `/v1/jobs/{id}`, never the path; nil: no route took it.
    ///   - status: of the answer; a client that went before one is nginx' 499.
    ///   - duration: in nanoseconds, to the end of the answer's head: a stream lives as long as it is read.
    package func ended(route: String?, method: String, status: Int, after duration: Int64) {
        counts.withLock { counts in
            counts.open -= 1
            var route = route ?? "none"
            if counts.times[route] == nil, counts.times.count >= Self.routes { route = SchedulerSnapshot.other }
            let method = Self.methods.contains(method) ? method : SchedulerSnapshot.other
            let status = (100...599).contains(status) ? status : 0
            counts.ended[Series(route: route, method: method, status: status), default: 0] += 1
            counts.times[route, default: Histogram()].add(duration)
        }
    }

    /// It was answered with a problem of this code: ours, so there are few.
    package func met(problem code: String) { counts.withLock { $0.problems[code, default: 0] += 1 } }

    package func write(to text: inout MetricsText) {
        let counts = counts.withLock { $0 }
        text.counter(
            "statex_http_requests_total", "Requests that were answered.",
            counts.ended.sorted {
                ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status)
            }
            .map { series, count in
                let labels = [
                    ("route", series.route), ("method", series.method), ("status", String(series.status)),
                ]
                return (labels, count)
            })
        text.histogram(
            "statex_http_request_seconds", "How long it took until an answer began.",
            counts.times.sorted { $0.key < $1.key }.map { ([("route", $0.key)], $0.value) })
        text.counter(
            "statex_http_problems_total", "Problems that were answered: refusals, mistakes and failures.",
            counts.problems.sorted { $0.key < $1.key }.map { ([("code", $0.key)], $0.value) })
        text.gauge("statex_http_requests_open", "Requests that are being answered.", Double(counts.open))
    }
}
