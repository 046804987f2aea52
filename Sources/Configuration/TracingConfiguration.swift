/// Where spans go, and which requests begin a trace.
package struct TracingConfiguration: Sendable, Equatable {
    /// Scheme, host and port of a collector that takes OTLP over HTTP; nil: no spans are recorded.
    package var endpoint: String?
    package var path: String
    /// Holds what goes into the head of each request to it.
    package var headersFile: String?
    package var authorities: String?
    /// The share of requests to the gateway that come without a trace and begin one.
    package var sampling: Double

    init(from values: inout ValueReader) {
        endpoint = values.take("otlp_endpoint", .httpURL)
        path = values.take("otlp_path", default: "/v1/traces", .httpPath)
        headersFile = values.take("otlp_headers_file", .path)
        authorities = values.take("otlp_ca_file", .path)
        sampling = values.take("otlp_sampling", default: 1, .number(0...1))
    }

    private static let longestHeaders = 16 << 10

    /// The lines of the file: a name, a colon, a value. What it holds may be secret, so no error repeats any of it.
    package func readHeaders() throws(ConfigurationError) -> [(name: String, value: String)] {
        guard let headersFile else { return [] }
        var headers: [(name: String, value: String)] = []
        let text = try readSmallFile(headersFile, limit: Self.longestHeaders, for: "otlp_headers_file", isSecret: true)
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let (name, value) = (String(parts[0]).trimmed, parts.count == 2 ? String(parts[1]).trimmed : "")
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isToken), !value.isEmpty,
                value.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
            else {
                throw ConfigurationError(
                    "otlp_headers_file \(headersFile): line \(number + 1) must be a name, a colon and a value in "
                        + "printable ASCII, such as authorization: Bearer …")
            }
            headers.append((name, value))
        }
        return headers
    }

    /// RFC 9110, section 5.6.2, as far as anybody uses it.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }
}
