import HTTPTypes
import Hummingbird

/// What every answer says to browsers: nothing here is a page unless it says so, nobody frames it, nobody guesses its
/// type, and nobody keeps it.
struct SecurityHeaders: Sendable {
    private let common: [(HTTPField.Name, String)]

    init(tls: Bool) {
        var common: [(HTTPField.Name, String)] = [
            (.xContentTypeOptions, "nosniff"),
            (.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; sandbox"),
            (Self.name("Referrer-Policy"), "no-referrer"),
            (Self.name("Cross-Origin-Resource-Policy"), "same-origin"),
            (Self.name("Cross-Origin-Opener-Policy"), "same-origin"),
            (.cacheControl, "no-store"),
        ]
        if tls { common.append((.strictTransportSecurity, "max-age=31536000")) }
        self.common = common
    }

    /// What a route says itself stays.
    func add(to response: inout Response) {
        for (name, value) in common where response.headers[name] == nil { response.headers[name] = value }
    }

    private static func name(_ text: StaticString) -> HTTPField.Name {
        // Force-unwrapped in effect: these are constants of this file, and valid names.
        HTTPField.Name(String(describing: text)) ?? .xContentTypeOptions
    }
}
