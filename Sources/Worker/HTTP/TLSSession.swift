import CTLS
import Glibc

/// Why a TLS connection cannot be, or cannot go on.
struct TLSFault: Error {
    let reason: String
}

/// The client's side of one TLS connection: bytes in, bytes out. It touches no socket, so waiting and
/// deadlines are the caller's alone. The server's certificate is checked against its name.
struct TLSSession: ~Copyable {
    enum Plain {
        case bytes([UInt8])
        case nothing, end
    }

    private let session: OpaquePointer
    // Owned by `session`.
    private let incoming: OpaquePointer
    private let outgoing: OpaquePointer

    /// - Parameter authorities: a PEM file of certificates to trust instead of the system's.
    init(host: String, authorities: String?) throws(TLSFault) {
        let context = try Self.context(trusting: authorities)
        // A session holds on to its context.
        defer { SSL_CTX_free(context) }
        guard let session = SSL_new(context) else { throw Self.fault("TLS") }
        guard Self.expect(host, session), let incoming = BIO_new(BIO_s_mem()) else {
            SSL_free(session)
            throw Self.fault("host \(host)")
        }
        guard let outgoing = BIO_new(BIO_s_mem()) else {
            BIO_free(incoming)
            SSL_free(session)
            throw Self.fault("TLS")
        }
        SSL_set_bio(session, incoming, outgoing)
        SSL_set_connect_state(session)
        self.session = session
        self.incoming = incoming
        self.outgoing = outgoing
    }

    deinit { SSL_free(session) }

    private static func context(trusting authorities: String?) throws(TLSFault) -> OpaquePointer {
        guard let context = SSL_CTX_new(TLS_client_method()) else { throw fault("TLS") }
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let isTrusting =
            if let authorities {
                SSL_CTX_load_verify_locations(context, authorities, nil) == 1
            } else {
                SSL_CTX_set_default_verify_paths(context) == 1
            }
        guard isTrusting, ctls_require_tls_1_2(context) == 1 else {
            SSL_CTX_free(context)
            throw fault(authorities.map { "ca_file \($0)" } ?? "the system's certificates")
        }
        return context
    }

    /// Has the certificate compared with the host: its addresses with an address, its names with a name.
    private static func expect(_ host: String, _ session: OpaquePointer) -> Bool {
        SSL_set_hostflags(session, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        if X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1 { return true }
        ERR_clear_error()
        return SSL_set1_host(session, host) == 1 && ctls_name_server(session, host) == 1
    }

    /// True once both sides agree; until then it needs more bytes from the server.
    mutating func handshake() throws(TLSFault) -> Bool {
        ERR_clear_error()
        let result = SSL_do_handshake(session)
        if result == 1 { return true }
        guard SSL_get_error(session, result) == SSL_ERROR_WANT_READ else {
            let verdict = SSL_get_verify_result(session)
            if verdict != Int(X509_V_OK) {
                throw TLSFault(reason: "the certificate: \(String(cString: X509_verify_cert_error_string(verdict)))")
            }
            throw Self.fault("TLS")
        }
        return false
    }

    /// Takes what the server sent.
    mutating func received(_ bytes: [UInt8]) throws(TLSFault) {
        // The buffer grows as needed: all is written, or memory is out.
        let count = bytes.withUnsafeBytes { BIO_write(incoming, $0.baseAddress, CInt(clamping: $0.count)) }
        guard count == bytes.count else { throw Self.fault("TLS") }
    }

    /// What the server said, as far as it has arrived.
    mutating func read() throws(TLSFault) -> Plain {
        ERR_clear_error()
        var result: CInt = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.recordBytes) { buffer, count in
            result = SSL_read(session, buffer.baseAddress, CInt(Self.recordBytes))
            count = Int(max(0, result))
        }
        if result > 0 { return .bytes(bytes) }
        switch SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: return .nothing
        case SSL_ERROR_ZERO_RETURN: return .end
        default: throw Self.fault("TLS")
        }
    }

    /// Encrypts a part of `bytes`; says how many. 0: it needs to hear from the server first.
    mutating func write(_ bytes: ArraySlice<UInt8>) throws(TLSFault) -> Int {
        ERR_clear_error()
        let part = bytes.prefix(Self.recordBytes)
        let result = part.withUnsafeBytes { SSL_write(session, $0.baseAddress, CInt($0.count)) }
        if result > 0 { return Int(result) }
        guard SSL_get_error(session, result) == SSL_ERROR_WANT_READ else { throw Self.fault("TLS") }
        return 0
    }

    /// What must go to the server now.
    mutating func takeOutput() -> [UInt8] {
        let waiting = Int(ctls_pending(outgoing))
        guard waiting > 0 else { return [] }
        return [UInt8](unsafeUninitializedCapacity: waiting) { buffer, count in
            count = Int(max(0, BIO_read(outgoing, buffer.baseAddress, CInt(clamping: waiting))))
        }
    }

    /// The most that one TLS record carries.
    private static let recordBytes = 16 << 10

    private static func fault(_ what: String) -> TLSFault {
        let code = ERR_get_error()
        let reason = code == 0 ? nil : ERR_reason_error_string(code).map { String(cString: $0) }
        return TLSFault(reason: "\(what): \(reason ?? "refused")")
    }
}
