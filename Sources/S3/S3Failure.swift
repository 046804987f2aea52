import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import StatexObjects

/// Why one request came to nothing.
enum S3Failure: Error {
    /// The service said so, by a status and mostly a code.
    case answered(status: Int, code: String, message: String, region: String?)
    /// The connection failed, or nothing came.
    case connection(String, isTransient: Bool)
    /// It is none of the service's doing.
    case local(ObjectError)

    var isTransient: Bool {
        switch self {
        case .answered(let status, let code, _, _):
            status >= 500 || status == 429
                || ["SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable"].contains(code)
        case .connection(_, let isTransient): isTransient
        case .local: false
        }
    }

    /// Whether there is no such object. (A HEAD names no code.)
    var isMissing: Bool {
        if case .answered(404, let code, _, _) = self { code == "NoSuchKey" || code.isEmpty } else { false }
    }

    /// - Parameter place: the request: its method, bucket and key.
    func error(_ place: String, attempts: Int) -> ObjectError {
        switch self {
        case .local(let error): return error
        case .connection(let reason, let isTransient):
            let text = "\(place): \(reason)"
            return isTransient ? .unavailable(text + tries(attempts)) : .refused(text)
        case .answered(let status, let code, let message, let region):
            var text = "\(place): \(status)"
            if !code.isEmpty { text += " \(code)" }
            if !message.isEmpty { text += ", \(quoted(message))" }
            guard !isTransient else { return .unavailable(text + tries(attempts), status: status) }
            if let remedy = Self.remedy(code, status, region) { text += "; \(remedy)" }
            return .refused(text, status: status)
        }
    }

    private func tries(_ attempts: Int) -> String { attempts > 1 ? " (\(attempts) tries)" : "" }

    private static func remedy(_ code: String, _ status: Int, _ region: String?) -> String? {
        switch code {
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
            return "look at the credentials (key s3_credentials_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)"
        case "AccessDenied": return "let these credentials read, write, list and delete there"
        case "NoSuchBucket": return "create the bucket, or correct the key `objects`"
        case "RequestTimeTooSkewed": return "set this machine's clock"
        case "PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
            return
                "set the key s3_region\(region.map { " to \(quoted($0))" } ?? "") and s3_endpoint as the bucket needs"
        default:
            return (300..<400).contains(status)
                ? "correct s3_endpoint\(region.map { " or set s3_region to \(quoted($0))" } ?? ""): redirects are not followed"
                : nil
        }
    }
}

extension S3Failure {
    /// What became of a connection, in words.
    init(connection error: (any Error)?) {
        switch error {
        case let error as HTTPClientError:
            switch error {
            case .connectTimeout, .getConnectionFromPoolTimeout: self = .transient("the connection took too long")
            case .readTimeout, .writeTimeout, .deadlineExceeded, .tlsHandshakeTimeout:
                self = .transient("it fell silent, or was too slow")
            case .remoteConnectionClosed, .cancelled, .requestStreamCancelled, .uncleanShutdown:
                self = .transient("the connection was cut")
            default: self = .connection(error.shortDescription, isTransient: false)
            }
        // A certificate that is not trusted today is not trusted in a second.
        case let error as NIOSSLError: self = .connection("TLS: \(error)", isTransient: false)
        case let error as NIOSSLExtraError: self = .connection("TLS: \(error)", isTransient: false)
        case let error as HTTPParserError where error == .invalidEOFState: self = .transient("the connection was cut")
        case is HTTPParserError: self = .connection("what answered does not speak HTTP", isTransient: false)
        case let error as IOError: self = .transient(String(cString: strerror(error.errnoCode)))
        case let error as NIOConnectionError:
            let reasons = error.connectionErrors.map { failed in
                (failed.error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(failed.error)"
            }
            self = .transient(
                reasons.first ?? "the host \(quoted(error.host)) is not known (correct s3_endpoint)")
        case .some(let error): self = .transient("\(error)")
        case nil: self = .transient("nothing came")
        }
    }

    private static func transient(_ reason: String) -> S3Failure { .connection(reason, isTransient: true) }
}
