/// How buckets of S3, or of a service that speaks like it, are reached.
package struct S3Configuration: Sendable, Equatable {
    package enum Addressing: String, Sendable, CaseIterable {
        case path, host
    }

    /// Scheme, host and port; nil: AWS.
    package var endpoint: String?
    package var region: String
    package var addressing: Addressing
    /// nil: the environment has them.
    package var credentialsFile: String?
    /// The authorities that sign the service's certificate, instead of the system's.
    package var authorities: String?

    init(from values: inout ValueReader) {
        endpoint = values.take("s3_endpoint", .httpURL)
        region = values.take("s3_region", default: "us-east-1", .region)
        addressing = values.take("s3_addressing", default: .path, .choice())
        credentialsFile = values.take("s3_credentials_file", .path)
        authorities = values.take("s3_ca_file", .path)
    }
}
