import HTTPTypes
import Hummingbird
import StatexProtocol

/// What went wrong, as RFC 9457 has it: every answer of the gateway that is no success is one of these.
///
/// Says the field, the limit and what to do; never a payload, SQL or a secret.
struct Problem: Error, Sendable, Equatable {
    struct Field: Sendable, Equatable {
        /// As the sender knows it: `jobs[2].priority`, `limit`, `Idempotency-Key`.
        let field: String
        let message: String
    }

    let status: HTTPResponse.Status
    /// For programs; the last part of `type`.
    let code: String
    let title: String
    let detail: String
    var fields: [Field] = []
    var headers: HTTPFields = [:]
    /// What the sender is not told, for the log.
    var reason: String?

    var response: Response {
        var text = JSONText()
        text.object {
            $0.member("type", "urn:statex:problem:\(code)")
            $0.member("title", title)
            $0.member("status", status.code)
            $0.member("detail", detail)
            $0.member("code", code)
            if !fields.isEmpty {
                $0.array("errors", fields) {
                    $1.member("field", $0.field)
                    $1.member("message", $0.message)
                }
            }
        }
        return Response(json: text, status: status, type: "application/problem+json", headers: headers)
    }
}

extension Problem {
    /// One field is wrong.
    static func field(_ field: String, _ message: String) -> Problem {
        invalid([Field(field: field, message: message)])
    }

    /// A name of the sender's as it may be repeated to it.
    static func shown(_ name: String) -> String {
        let cut = name.unicodeScalars.prefix(64).filter { $0.value > 0x20 && $0.value < 0x7F }
        return cut.isEmpty ? "?" : String(String.UnicodeScalarView(cut))
    }

    static func invalid(_ fields: [Field]) -> Problem {
        let detail = fields.map { "\($0.field) \($0.message)" }.joined(separator: "; ")
        return Problem(
            status: .unprocessableContent, code: "invalid", title: "A field is not as it must be", detail: detail,
            fields: fields)
    }

    static func malformed(_ detail: String) -> Problem {
        Problem(status: .badRequest, code: "malformed", title: "The request cannot be read", detail: detail)
    }

    /// - Parameter error: of RFC 6750, when there was a token.
    static func unauthenticated(_ detail: String, error: String? = nil) -> Problem {
        let challenge = "Bearer realm=\"statex\"" + (error.map { ", error=\"\($0)\"" } ?? "")
        return Problem(
            status: .unauthorized, code: "unauthenticated", title: "A valid token is needed", detail: detail,
            headers: [.wwwAuthenticate: challenge])
    }

    static func forbidden(_ detail: String, scopes: [Scope] = []) -> Problem {
        let challenge = "Bearer realm=\"statex\", error=\"insufficient_scope\""
        let scope = scopes.isEmpty ? "" : ", scope=\"\(scopes.map(\.rawValue).joined(separator: " "))\""
        return Problem(
            status: .forbidden, code: "forbidden", title: "The token does not allow it", detail: detail,
            headers: [.wwwAuthenticate: challenge + scope])
    }

    static let noSuchPath = Problem(
        status: .notFound, code: "no_such_path", title: "There is nothing at this path",
        detail: "/openapi.json lists the paths")

    /// Also what belongs to others: who may not see it does not learn that it is there.
    static func notFound(_ what: String) -> Problem {
        Problem(
            status: .notFound, code: "not_found", title: "No such \(what)",
            detail: "no such \(what) is known: it was never there, or its retention is over")
    }

    static func noResult(_ state: JobState) -> Problem {
        Problem(
            status: .notFound, code: "no_result", title: "The job has no result",
            detail: state.isFinal ? "it ended as \(state.name)" : "it is \(state.name); ask again when it has ended")
    }

    static func methodNotAllowed(_ allowed: [String]) -> Problem {
        let list = allowed.joined(separator: ", ")
        return Problem(
            status: .methodNotAllowed, code: "method_not_allowed", title: "The path has not this method",
            detail: "it has \(list)", headers: [.allow: list])
    }

    static func conflict(_ code: String, _ detail: String) -> Problem {
        Problem(status: .conflict, code: code, title: "It cannot be done as things are", detail: detail)
    }

    static func tooLarge(_ what: String, limit: Int) -> Problem {
        Problem(
            status: .contentTooLarge, code: "too_large", title: "Too large",
            detail: "\(what) has more than \(limit) bytes, which is the limit")
    }

    /// More than a subject may have.
    static func tooMany(_ detail: String, seconds: Int) -> Problem {
        Problem(
            status: .tooManyRequests, code: "too_many", title: "Too many at once", detail: detail,
            headers: [.retryAfter: String(seconds)])
    }

    /// More often than a subject may ask.
    static func tooFast(_ detail: String, seconds: Int) -> Problem {
        Problem(
            status: .tooManyRequests, code: "too_fast", title: "Too many requests", detail: detail,
            headers: [.retryAfter: String(seconds)])
    }

    static func unsupportedMediaType(_ wanted: [String]) -> Problem {
        Problem(
            status: .unsupportedMediaType, code: "unsupported_media_type", title: "The body is of another type",
            detail: "Content-Type must be \(wanted.joined(separator: " or "))",
            headers: [.accept: wanted.joined(separator: ", ")])
    }

    static let packed = Problem(
        status: .unsupportedMediaType, code: "unsupported_media_type", title: "The body is packed",
        detail: "Content-Encoding must be left out: bodies are taken as they are",
        headers: [.acceptEncoding: "identity"])

    static let uploadTooSlow = Problem(
        status: .requestTimeout, code: "too_slow", title: "The upload took too long",
        detail: "it may take \(GatewayLimits.uploadTime.components.seconds) seconds; send less at once")

    static func noSuchRange(size: Int) -> Problem {
        Problem(
            status: .rangeNotSatisfiable, code: "no_such_range", title: "The content is shorter",
            detail: "it has \(size) bytes, and Range begins behind them", headers: [.contentRange: "bytes */\(size)"])
    }

    /// The scheduler or the journal is away or busy.
    /// - Parameter seconds: after which to try again; nil: not without a look.
    static func unavailable(_ detail: String, code: String = "unavailable", seconds: Int? = 1) -> Problem {
        Problem(
            status: .serviceUnavailable, code: code, title: "Not possible now", detail: detail,
            headers: seconds.map { [.retryAfter: String($0)] } ?? [:])
    }

    /// A fault of ours; the log has more.
    static let unexpected = Problem(
        status: .internalServerError, code: "internal", title: "The gateway failed",
        detail: "it is a fault of the gateway, and in its log")
}

extension Response {
    init(
        json text: JSONText, status: HTTPResponse.Status = .ok, type: String = "application/json",
        headers: HTTPFields = [:]
    ) {
        self.init(body: text.bytes, status: status, type: type, headers: headers)
    }

    init(
        body bytes: [UInt8], status: HTTPResponse.Status = .ok, type: String = "application/json",
        headers: HTTPFields = [:]
    ) {
        var headers = headers
        headers[.contentType] = type
        self.init(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}
