import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTP1
import StatexMetrics

/// Around every route, also those that are not there: turns what is thrown into a problem, and gives every answer
/// the headers that keep browsers from doing anything else with it.
struct ProblemMiddleware: RouterMiddleware {
    let paths: PathTable
    let headers: SecurityHeaders
    let counts: RequestCounts
    let failures = FailedRequests()

    func handle(
        _ request: Request, context: GatewayContext, next: (Request, GatewayContext) async throws -> Response
    ) async throws -> Response {
        var response: Response
        do {
            // The first is the request's authority: whoever reads the second sees another one.
            guard request.headers[.host] == nil else { throw Problem.malformed("the header Host stands there twice") }
            // What else is done to a body is not undone here, and whoever stands before this gateway may do it.
            guard request.headers[.transferEncoding].map({ $0.lowercased() == "chunked" }) ?? true else {
                throw Problem.malformed("Transfer-Encoding must be chunked, or left out")
            }
            response = try await next(request, context)
        } catch let problem as Problem {
            if problem.status.kind == .serverError {
                failures.failed(request, context, code: problem.code, reason: problem.reason)
            }
            response = answer(problem)
        } catch let error as HTTPParserError {
            // The connection answers it and closes: nothing after it can be read.
            throw error
        } catch let error as HTTPError where error.status == .notFound {
            response = answer(missing(request))
        } catch let error where error is IOError || error is ChannelError {
            // The sender has gone: nobody is told, and nothing of ours failed.
            response = answer(.malformed("the connection ended before the body did"))
        } catch is NIOTooManyBytesError {
            response = answer(.malformed("the body is larger than the limit"))
        } catch {
            if !(error is CancellationError) {
                failures.failed(request, context, code: Problem.unexpected.code, reason: "\(error)", level: .error)
            }
            response = answer(.unexpected)
        }
        headers.add(to: &response)
        return response
    }

    private func answer(_ problem: Problem) -> Response {
        counts.met(problem: problem.code)
        return problem.response
    }

    private func missing(_ request: Request) -> Problem {
        let allowed = paths.methods(at: request.uri.path)
        return allowed.isEmpty ? .noSuchPath : .methodNotAllowed(allowed)
    }
}

extension HTTPField.Name {
    // A constant that is a valid name: the initializer gives nil for others only.
    fileprivate static let host = HTTPField.Name("Host")!
}

/// Which methods are served at which path.
struct PathTable: Sendable {
    private let paths: [(segments: [Substring], method: String)]

    init(_ endpoints: [Endpoint]) {
        paths = endpoints.map { ($0.path.split(separator: "/"), $0.method.rawValue) }
    }

    func methods(at path: String) -> [String] {
        let segments = path.split(separator: "/")
        let found = paths.filter { known in
            known.segments.count == segments.count
                && zip(known.segments, segments).allSatisfy { $0 == $1 || $0.hasPrefix("{") }
        }.map(\.method)
        return Set(found + (found.contains("GET") ? ["HEAD"] : [])).sorted()
    }
}
