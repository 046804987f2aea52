import AsyncHTTPClient
import Glibc
import NIOCore
import NIOHTTP1
import NIOSSL
import StatexObjects

struct S3Request {
    let method: String
    /// nil: the bucket itself.
    let key: String?
    var query: [(name: String, value: String)] = []
    /// Names in lower case.
    var headers: [(name: String, value: String)] = []
    /// Of no body.
    var payloadSHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
}

/// Sends signed requests for one bucket, again and again where that may help.
final class S3Service: Sendable {
    private let client: HTTPClient
    private let settings: S3Settings
    private let bucket: String
    /// Scheme and authority of its URLs.
    private let scheme: String
    private let host: String

    init(_ bucket: String, _ settings: S3Settings) throws(ObjectError) {
        self.settings = settings
        self.bucket = bucket
        let endpoint = settings.endpoint ?? "https://s3.\(settings.region).amazonaws.com"
        guard let schemeEnd = endpoint.range(of: "://"), endpoint.hasPrefix("http"), !endpoint.hasSuffix("://") else {
            throw .refused("s3_endpoint: \(quoted(endpoint)) is no URL such as http://127.0.0.1:9000")
        }
        scheme = String(endpoint[..<schemeEnd.upperBound])
        let authority = String(endpoint[schemeEnd.upperBound...])
        host = settings.addressing == .host ? "\(bucket).\(authority)" : authority
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: try Self.configuration(settings))
    }

    deinit { client.shutdown { _ in } }

    private static func configuration(_ settings: S3Settings) throws(ObjectError) -> HTTPClient.Configuration {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = settings.authorities {
            do { tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(path)) } catch {
                throw .refused("s3_ca_file \(quoted(path)): it cannot be read as certificates in PEM")
            }
        }
        let patience = settings.patience
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(patience.connect), read: TimeAmount(patience.silence),
                write: TimeAmount(patience.silence)),
            // A worker has up to 1,024 slots; beyond it they wait for each other.
            connectionPool: .init(idleTimeout: .seconds(20), concurrentHTTP1ConnectionsPerHostSoftLimit: 256))
        // There is one policy of trying again, ours.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return configuration
    }

    /// Sends a request, and again where that may help.
    /// - Parameter expecting: how many bytes the answer may have; it bounds how long it may take.
    /// - Parameter begin: called before each try.
    /// - Parameter receive: gets the body of a success, piece by piece.
    @discardableResult
    func send(
        _ request: S3Request, _ upload: Upload? = nil, expecting: UInt64 = 0,
        begin: () throws(ObjectError) -> Void = {},
        receive: (UnsafeRawBufferPointer) throws(ObjectError) -> Void = { _ in }
    ) throws(ObjectError) -> HTTPResponseHead {
        var random = SystemRandomNumberGenerator()
        let limit = settings.patience.limit(max(expecting, upload?.size ?? 0))
        var attempt = 1
        while true {
            try begin()
            do throws(S3Failure) {
                return try sendOnce(request, upload, deadline: .now() + TimeAmount(limit), receive)
            } catch {
                let place =
                    "S3 \(request.method) s3://\(bucket)\(request.key.map { "/" + $0 } ?? "") at \(scheme)\(host)"
                if error.isMissing, let key = request.key { throw .notFound("s3://\(bucket)/\(key)") }
                guard error.isTransient, attempt < settings.patience.attempts else {
                    throw error.error(place, attempts: attempt)
                }
                usleep(settings.patience.pause(before: attempt, &random).microseconds)
                attempt += 1
            }
        }
    }

    private func sendOnce(
        _ request: S3Request, _ upload: Upload?, deadline: NIODeadline,
        _ receive: (UnsafeRawBufferPointer) throws(ObjectError) -> Void
    ) throws(S3Failure) -> HTTPResponseHead {
        let signed: HTTPClient.Request
        do throws(ObjectError) { signed = try sign(request) } catch { throw .local(error) }
        let answer = try Exchange().run(client, signed, upload, deadline: deadline, receive: receive)
        guard !answer.isSuccess else { return answer.head }
        let problem = S3XML.read(answer.problem).flatMap { $0.root == "Error" ? $0.texts : nil } ?? [:]
        throw .answered(
            status: Int(answer.head.status.code), code: problem["Code"] ?? "", message: problem["Message"] ?? "",
            region: answer.head.headers.first(name: "x-amz-bucket-region") ?? problem["Region"])
    }

    /// Credentials are read anew, and each try has its own time.
    private func sign(_ request: S3Request) throws(ObjectError) -> HTTPClient.Request {
        let credentials = try settings.credentials.read()
        let signature = Signature(
            credentials: credentials, region: settings.region, time: Signature.text(ofTime: time(nil)))
        let root = settings.addressing == .path ? "/\(bucket)" : ""
        var signed = SignedRequest(
            method: request.method, path: root + (request.key.map { "/" + $0 } ?? (root.isEmpty ? "/" : "")),
            query: request.query, headers: request.headers, payloadSHA256: request.payloadSHA256)
        signed.headers += [
            ("host", host), ("x-amz-date", signature.time), ("x-amz-content-sha256", request.payloadSHA256),
        ]
        if let token = credentials.sessionToken { signed.headers.append(("x-amz-security-token", token)) }
        var headers = HTTPHeaders(signed.headers)
        headers.add(name: "authorization", value: signature.authorization(of: signed))
        let query = signed.encodedQuery
        let url = scheme + host + signed.encodedPath + (query.isEmpty ? "" : "?" + query)
        do {
            return try HTTPClient.Request(url: url, method: HTTPMethod(rawValue: request.method), headers: headers)
        } catch {
            throw .refused("s3_endpoint: \(quoted(scheme + host)) makes no URL that can be asked")
        }
    }
}

extension Duration {
    /// For `usleep`: pauses are seconds.
    fileprivate var microseconds: UInt32 {
        UInt32(clamping: components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000)
    }
}
