import CCrypto
import StatexProtocol

/// The digest of a request's content, for its idempotency key: kinds, payloads and options of its jobs.
enum RequestDigest {
    /// - Returns: SHA-256 (32 bytes).
    static func of(_ jobs: Range<Int>, in batch: borrowing SubmitBatch, _ bytes: borrowing RawSpan) -> [UInt8] {
        var content = ByteBuffer(capacity: 1_024)
        for index in jobs {
            let job = batch.jobs[index]
            let kind = batch.names[Int(job.kind)]
            content.append(UInt16(kind.utf8.count))
            content.append(kind)
            content.append(job.priority)
            content.append(job.attempts)
            content.append(job.encoding)
            content.append(job.optionsLength)
            content.append(bytes.extracting(Int(job.optionsStart)..<Int(job.optionsStart) + Int(job.optionsLength)))
            content.append(job.payloadLength)
            content.append(bytes.extracting(Int(job.payloadStart)..<Int(job.payloadStart) + Int(job.payloadLength)))
        }
        var digest = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 32
        let done = content.withUnsafeBytes { EVP_Digest($0.baseAddress, $0.count, &digest, &length, EVP_sha256(), nil) }
        precondition(done == 1 && length == 32, "libcrypto has no SHA-256")
        return digest
    }
}
