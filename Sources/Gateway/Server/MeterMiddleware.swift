import Hummingbird
import StatexMetrics

/// Around everything: counts what is answered, and times it. A stream has begun when its head is there.
struct MeterMiddleware: RouterMiddleware {
    let counts: RequestCounts

    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        let began = ContinuousClock.now
        // What throws past the problems is no HTTP.
        var status = 400
        counts.began()
        defer {
            // Hours of a clock that only goes forward are far from an overflow.
            let spent = (ContinuousClock.now - began).components
            let nanoseconds = spent.seconds &* 1_000_000_000 &+ spent.attoseconds / 1_000_000_000
            // What no route took has a name there that is no path.
            let route = context.endpointPath.flatMap { $0.hasPrefix("/") ? $0 : nil }
            counts.ended(
                route: route, method: request.method.rawValue, status: status, after: nanoseconds)
        }
        let response = try await next(request, context)
        status = response.status.code
        return response
    }
}
