import StatexObjects

/// How buckets are reached: one service of S3 for all that are configured.
package struct S3Settings: Sendable, Equatable {
    package enum Addressing: String, CaseIterable, Sendable {
        /// `https://endpoint/bucket/key`: what every service understands.
        case path
        /// `https://bucket.endpoint/key`.
        case host
    }

    /// Scheme, host and port; nil: AWS, in `region`.
    package var endpoint: String?
    package var region: String
    package var addressing: Addressing
    package var credentials: CredentialSource
    /// The authorities that sign the service's certificate, instead of the system's.
    package var authorities: String?
    /// Where objects lie while they are sent and read.
    package var temporaryDirectory = FileDescriptor.temporaryDirectory
    package var patience = Patience()

    package init(
        endpoint: String? = nil, region: String = "us-east-1", addressing: Addressing = .path,
        credentials: CredentialSource = .environment, authorities: String? = nil
    ) {
        self.endpoint = endpoint
        self.region = region
        self.addressing = addressing
        self.credentials = credentials
        self.authorities = authorities
    }
}

/// How long a service may take, and how often it is asked again.
package struct Patience: Sendable, Equatable {
    /// Five tries are over after 6 s at most, if each fails at once: a handler can wait for that.
    package var attempts = 5
    package var firstPause: Duration = .milliseconds(200)
    package var longestPause: Duration = .seconds(5)
    package var connect: Duration = .seconds(5)
    /// Without a byte in either direction. (A service may take its time to copy 5 GiB onto itself.)
    package var silence: Duration = .seconds(60)
    /// Bytes a second: what is slower for long is as good as silent.
    package var slowest: UInt64 = 32 << 10

    /// The pause before an attempt (from 1), at random from nothing to a bound that doubles: so that those whom a
    /// service turned away together do not come back together.
    func pause(before attempt: Int, _ random: inout some RandomNumberGenerator) -> Duration {
        let bound = min(longestPause, firstPause * (1 << min(max(attempt - 1, 0), 16)))
        return bound * Double.random(in: 0...1, using: &random)
    }

    /// For a request with a body of so many bytes in either direction.
    func limit(_ bytes: UInt64) -> Duration { silence + .seconds(Int64(clamping: bytes / slowest)) }
}
