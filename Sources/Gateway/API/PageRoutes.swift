import HTTPTypes
import Hummingbird
import NIOCore
import StatexObjects
import StatexPage

/// `/` and `/assets/NAME`: the page. Open, because it holds nothing: what it shows it asks for with its user's token.
struct PageRoutes: Sendable {
    private static let index = Served(.index)
    private static let assets = Dictionary(uniqueKeysWithValues: PageFile.assets.map { ($0.name, Served($0)) })

    var endpoints: [Endpoint] {
        [
            Endpoint(open: "/") { request, _ in Self.index.answer(request) },
            Endpoint(open: "/assets/{name}") { request, context in
                guard let name = context.parameters.get("name"), let file = Self.assets[name] else {
                    throw Problem.noSuchPath
                }
                return file.answer(request)
            },
        ]
    }

    /// A file with the headers that do not change.
    private struct Served: Sendable {
        private let body: NIOCore.ByteBuffer
        private let headers: HTTPFields
        /// nil: OpenSSL has no SHA-256, and nobody is told that the file is the same.
        private let tag: String?

        init(_ file: PageFile) {
            body = NIOCore.ByteBuffer(bytes: file.bytes)
            tag = (try? SHA256.digest(of: file.bytes)).map { "\"\($0.hex.prefix(32))\"" }
            var headers = PageHeaders.all
            headers[.contentType] = file.type
            headers[.eTag] = tag
            // Kept, and asked about each time: a new release is seen at once.
            headers[.cacheControl] = "no-cache"
            self.headers = headers
        }

        func answer(_ request: Request) -> Response {
            guard !isHad(request) else { return Response(status: .notModified, headers: headers) }
            return Response(status: .ok, headers: headers, body: .init(byteBuffer: body))
        }

        /// Whether the sender says that it has these bytes.
        private func isHad(_ request: Request) -> Bool {
            guard let tag else { return false }
            return request.headers[values: .ifNoneMatch].contains { value in
                value.split(separator: ",").contains { part in
                    let text = part.trimming { $0 == " " || $0 == "\t" }
                    return text == "*" || text == tag || text == "W/\(tag)"
                }
            }
        }
    }
}

/// What the page may do in a browser: run its own files, ask its own server, and show what it made itself.
enum PageHeaders {
    static let all: HTTPFields = [
        .contentSecurityPolicy:
            """
        default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; \
        media-src blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'
        """,
        permissionsPolicy: "microphone=(self), camera=(), geolocation=()",
    ]

    // A constant that is a valid name: the initializer gives nil for others only.
    static let permissionsPolicy = HTTPField.Name("Permissions-Policy")!
}

extension Substring {
    fileprivate func trimming(_ isSpace: (Character) -> Bool) -> Substring {
        var text = drop(while: isSpace)
        while let last = text.last, isSpace(last) { text.removeLast() }
        return text
    }
}
