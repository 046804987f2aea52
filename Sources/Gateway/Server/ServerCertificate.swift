import Glibc
import Logging
import NIOCore
import NIOPosix
import NIOSSL
import StatexKeys
import Synchronization

/// The certificate that the gateway shows, and its key. Files that were exchanged are read again, so that a new
/// certificate needs no restart; as long as they cannot be used, the gateway goes on with what it has.
package final class ServerCertificate: Sendable {
    private let certificateFile: String
    private let keyFile: String
    private let lookEvery: Duration
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var pair: Pair
        /// How the files were when they were last read, well or not.
        var files: [FileStamp?]
        var lookedAt = ContinuousClock.now
        /// These cannot be used, and the pair is one of before.
        var isRefused = false
    }

    private struct Pair {
        let chain: [NIOSSLCertificateSource]
        let key: NIOSSLPrivateKeySource

        var override: NIOSSLContextConfigurationOverride {
            var override = NIOSSLContextConfigurationOverride()
            override.certificateChain = chain
            override.privateKey = key
            return override
        }
    }

    /// - Parameters:
    ///   - certificate: PEM: the certificate, and what is between it and its authority.
    ///   - key: PEM, without a passphrase.
    ///   - lookEvery: how often, at most, connections have the files looked at.
    package init(
        certificate: String, key: String, lookEvery: Duration = .seconds(10), logger: Logger
    ) throws(CertificateError) {
        certificateFile = certificate
        keyFile = key
        self.lookEvery = lookEvery
        self.logger = logger
        let files = [FileStamp(certificate), FileStamp(key)]
        state = Mutex(State(pair: try Self.read(certificate, key), files: files))
    }

    /// The files are others than those of the pair in force, and cannot be used.
    var isRefused: Bool { state.withLock { $0.isRefused } }

    /// What the server speaks.
    func configuration() -> TLSConfiguration {
        let pair = state.withLock { $0.pair }
        var configuration = Self.configuration(pair)
        configuration.sslContextCallback = { [self] _, promise in
            if let pair = knownPair(at: .now) { return promise.succeed(pair.override) }
            // Not on the thread of a handshake: it waits for no disk, and its library would take what is wrong with the
            // files for what is wrong with the connection.
            let look = NIOThreadPool.singleton.runIfActive(eventLoop: promise.futureResult.eventLoop) {
                self.look().override
            }
            promise.completeWith(look)
        }
        return configuration
    }

    private static func configuration(_ pair: Pair) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: pair.chain, privateKey: pair.key)
        configuration.minimumTLSVersion = .tlsv12
        return configuration
    }

    /// nil: it is time to look at the files; who is told so does.
    private func knownPair(at now: ContinuousClock.Instant) -> Pair? {
        state.withLock { state in
            guard now >= state.lookedAt + lookEvery else { return state.pair }
            state.lookedAt = now
            return nil
        }
    }

    private func look() -> Pair {
        let files = [FileStamp(certificateFile), FileStamp(keyFile)]
        guard state.withLock({ $0.files != files }) else { return state.withLock { $0.pair } }
        var exchanged: Pair?
        do throws(CertificateError) {
            exchanged = try Self.read(certificateFile, keyFile)
            logger.notice("the certificate was exchanged")
        } catch {
            logger.warning("the certificate that was exchanged is not used, the old one is: \(error)")
        }
        return state.withLock { [exchanged] state in
            // Of two files that are exchanged one is the first: the pair fits when the second one changes too.
            state.files = files
            state.isRefused = exchanged == nil
            if let exchanged { state.pair = exchanged }
            return state.pair
        }
    }

    private static func read(_ certificateFile: String, _ keyFile: String) throws(CertificateError) -> Pair {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(certificateFile) } catch {
            throw CertificateError("gateway_tls_certificate", certificateFile, "it holds no certificate in PEM")
        }
        try check(keyFile)
        let key: NIOSSLPrivateKey
        do { key = try NIOSSLPrivateKey(file: keyFile, format: .pem) } catch {
            throw CertificateError("gateway_tls_key", keyFile, "it holds no private key in PEM without a passphrase")
        }
        let pair = Pair(chain: chain.map { .certificate($0) }, key: .privateKey(key))
        do { _ = try NIOSSLContext(configuration: configuration(pair)) } catch {
            throw CertificateError(
                "gateway_tls_key", keyFile, "it is not the key of the first certificate of the other file")
        }
        return pair
    }

    /// The key is refused if others may read it.
    private static func check(_ keyFile: String) throws(CertificateError) {
        let descriptor = open(keyFile, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw CertificateError("gateway_tls_key", keyFile, "it cannot be opened") }
        defer { close(descriptor) }
        do throws(KeyError) { try checkSecretFile(descriptor, keyFile) } catch {
            throw CertificateError("gateway_tls_key \(error)")
        }
    }
}

/// Why a certificate or its key cannot be used.
package struct CertificateError: Error, Sendable, CustomStringConvertible {
    package let description: String

    fileprivate init(_ description: String) { self.description = description }

    fileprivate init(_ key: String, _ path: String, _ reason: String) {
        // The libraries do not say when a file could not be opened at all.
        let isThere = access(path, R_OK) == 0
        description = "\(key) \(path): \(isThere ? reason : String(cString: strerror(errno)))"
    }
}
