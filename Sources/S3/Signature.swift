// AWS Signature Version 4, as S3 takes it: pure, from a request, a secret and a time to the header that proves
// who sent it. https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html

import Crypto
import Glibc

/// What is signed of a request.
struct SignedRequest {
    var method: String
    /// Not encoded: `/bucket/some key`.
    var path: String
    /// Not encoded.
    var query: [(name: String, value: String)] = []
    /// Names in lower case. All of them are signed, so none may be added or changed on the way.
    var headers: [(name: String, value: String)]
    /// Of the body, 64 hexadecimal digits.
    var payloadSHA256: String
}

struct Signature {
    let credentials: S3Credentials
    let region: String
    var service = "s3"
    /// `20130524T000000Z`.
    let time: String

    static let algorithm = "AWS4-HMAC-SHA256"

    /// The value of the header `authorization`.
    func authorization(of request: SignedRequest) -> String {
        let signed = request.canonicalHeaders.map(\.name).joined(separator: ";")
        return "\(Self.algorithm) Credential=\(credentials.keyID)/\(scope), SignedHeaders=\(signed), "
            + "Signature=\(signature(of: request))"
    }

    private var day: String { String(time.prefix(8)) }
    private var scope: String { "\(day)/\(region)/\(service)/aws4_request" }

    private func signature(of request: SignedRequest) -> String {
        let text = "\(Self.algorithm)\n\(time)\n\(scope)\n" + SHA256.hash(data: Array(request.canonical.utf8)).hex
        var key = SymmetricKey(data: Array("AWS4\(credentials.secret)".utf8))
        for word in [day, region, service, "aws4_request"] { key = SymmetricKey(data: code(word, key)) }
        return code(text, key).hex
    }

    private func code(_ text: String, _ key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    /// A time as it is signed and sent.
    static func text(ofTime seconds: Int) -> String {
        var parts = tm()
        var seconds = time_t(seconds)
        gmtime_r(&seconds, &parts)
        func digits(_ number: Int32, _ count: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = digits(parts.tm_year + 1900, 4) + digits(parts.tm_mon + 1, 2) + digits(parts.tm_mday, 2)
        return "\(day)T\(digits(parts.tm_hour, 2))\(digits(parts.tm_min, 2))\(digits(parts.tm_sec, 2))Z"
    }
}

extension SignedRequest {
    /// As it stands in the URL: S3 neither encodes a path twice nor takes dots out of it.
    var encodedPath: String { percentEncoded(path, sparing: "/") }

    /// In the order that is signed.
    var encodedQuery: String {
        query.map { (percentEncoded($0.name), percentEncoded($0.value)) }.sorted { $0 < $1 }
            .map { "\($0)=\($1)" }.joined(separator: "&")
    }

    var canonicalHeaders: [(name: String, value: String)] {
        headers.map { ($0.name, trimmed($0.value)) }.sorted { $0.name < $1.name }
    }

    var canonical: String {
        let headers = canonicalHeaders
        return [
            method, encodedPath, encodedQuery,
            headers.map { "\($0.name):\($0.value)\n" }.joined(),
            headers.map(\.name).joined(separator: ";"),
            payloadSHA256,
        ].joined(separator: "\n")
    }

    /// Without space at its ends, and one space for several.
    private func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }
}

/// RFC 3986, every byte but the unreserved ones.
private func percentEncoded(_ text: String, sparing spared: Unicode.Scalar? = nil) -> String {
    let digits = Array("0123456789ABCDEF".unicodeScalars)
    var encoded = String.UnicodeScalarView()
    for byte in text.utf8 {
        let scalar = Unicode.Scalar(byte)
        switch scalar {
        case "A"..."Z", "a"..."z", "0"..."9", "-", ".", "_", "~", spared: encoded.append(scalar)
        default: encoded.append(contentsOf: ["%", digits[Int(byte >> 4)], digits[Int(byte & 15)]])
        }
    }
    return String(encoded)
}

extension Sequence<UInt8> {
    /// Lower-case hexadecimal digits.
    fileprivate var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
