import CCrypto
import StatexProtocol

/// The digest of a request's content, for its user key.
enum RequestDigest {
    /// - Returns: SHA-256 (32 bytes).
    static func of(_ jobs: Range<Int>, in batch: borrowing SubmitBatch, _ bytes: borrowing RawSpan) -> [UInt8] {
        let content = batch.content(of: jobs, in: bytes)
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 32
        let done = content.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, &digest, &length, EVP_sha256(), nil) }
        precondition(done == 1 && length == 32, "libcrypto has no SHA-256")
        return digest
    }
}
