import Foundation
import Hummingbird
import HummingbirdTesting
import NIOCore
import NIOSSL
import Testing

@testable import StatexGateway

/// The server's own TLS, over real connections, with certificates that are made here.
@Suite(.timeLimit(.minutes(2))) final class TLSTests: Sendable {
    private let folder = NSTemporaryDirectory() + "statex-tls-\(UInt64.random(in: .min ... .max))/"

    init() throws { try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true) }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    /// A certificate and its key, as PEM files.
    private func make(_ name: String, passphrase: String? = nil) throws -> (certificate: String, key: String) {
        let files = (certificate: folder + name + ".pem", key: folder + name + ".key")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments =
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", "2", "-subj",
                "/CN=\(name)", "-addext", "subjectAltName=DNS:localhost", "-keyout", files.key, "-out",
                files.certificate,
            ] + (passphrase.map { ["-passout", "pass:\($0)"] } ?? ["-nodes"])
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return files
    }

    private func load(
        _ files: (certificate: String, key: String), lookEvery: Duration = .seconds(10)
    ) throws(CertificateError) -> ServerCertificate {
        try ServerCertificate(
            certificate: files.certificate, key: files.key, lookEvery: lookEvery, logger: Scene.logger)
    }

    /// Runs a gateway that speaks TLS.
    private func serve(
        _ certificate: ServerCertificate, idle: TimeAmount = .seconds(30),
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let scene = try await Scene(tls: certificate)
        try await scene.gateway.application(idle: idle).test(.live) { client in
            try await body(#require(client.port))
        }
    }

    private static let question = Array("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)

    private func connection(from oldest: TLSVersion = .tlsv1, to newest: TLSVersion? = nil) throws -> RawConnection {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.minimumTLSVersion = oldest
        configuration.maximumTLSVersion = newest
        return RawConnection(tls: try NIOSSLContext(configuration: configuration))
    }

    @Test func `it is spoken from version 1_2 on, and browsers are told to stay with it`() async throws {
        try await serve(load(make("a"))) { port in
            for version in [TLSVersion.tlsv12, .tlsv13] {
                let answer = try await self.connection(from: version, to: version).answer(to: Self.question, at: port)
                #expect(answer.hasPrefix("HTTP/1.1 200 OK"), "\(version): \(answer)")
                #expect(answer.lowercased().contains("\r\nstrict-transport-security: max-age=31536000\r\n"))
            }
            for version in [TLSVersion.tlsv1, .tlsv11] {
                let answer = try await self.connection(to: version).answer(to: Self.question, at: port)
                #expect(answer.isEmpty, "\(version): \(answer)")
            }
        }
    }

    @Test(arguments: ["GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", "\0\0\0\0\0\0\0\0\0\0", "\u{16}\u{3}\u{1}\0\u{4}oops"])
    func `what is no TLS is let go, and others are served`(text: String) async throws {
        try await serve(load(make("a"))) { port in
            let answer = try await RawConnection().answer(to: Array(text.utf8), at: port)
            #expect(!answer.contains("HTTP"), "\(answer)")
            let other = try await self.connection().answer(to: Self.question, at: port)
            #expect(other.hasPrefix("HTTP/1.1 200 OK"), "\(other)")
        }
    }

    @Test(arguments: [[], [0x16], [0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]] as [[UInt8]])
    func `a handshake that does not come to its end ends the connection`(bytes: [UInt8]) async throws {
        try await serve(load(make("a")), idle: .milliseconds(200)) { port in
            let answer = try await RawConnection().answer(to: bytes, at: port)
            #expect(answer.isEmpty)
        }
    }

    @Test func `files that cannot be used are named, with what is wrong`() throws {
        let (good, other) = (try make("a"), try make("b"))
        let locked = try make("locked", passphrase: "secret")
        let text = folder + "text"
        try "no PEM".write(toFile: text, atomically: true, encoding: .utf8)
        try #require(chmod(text, 0o600) == 0)
        let open = folder + "open.key"
        try FileManager.default.copyItem(atPath: good.key, toPath: open)
        try #require(chmod(open, 0o644) == 0)
        for (certificate, key, problem) in [
            (folder + "none", good.key, "gateway_tls_certificate \(folder)none: No such file or directory"),
            (good.certificate, folder + "none", "gateway_tls_key \(folder)none: No such file or directory"),
            (text, good.key, "gateway_tls_certificate \(text): it holds no certificate in PEM"),
            (good.key, good.key, "gateway_tls_certificate \(good.key): it holds no certificate in PEM"),
            (
                good.certificate, open,
                "gateway_tls_key \(open): others may read this secret (mode 0644); run: chmod 0600 \(open), and make another if anybody did"
            ),
            (
                good.certificate, text,
                "gateway_tls_key \(text): it holds no private key in PEM without a passphrase"
            ),
            (
                locked.certificate, locked.key,
                "gateway_tls_key \(locked.key): it holds no private key in PEM without a passphrase"
            ),
            (
                good.certificate, other.key,
                "gateway_tls_key \(other.key): it is not the key of the first certificate of the other file"
            ),
        ] {
            do throws(CertificateError) {
                _ = try load((certificate, key))
                Issue.record("\(certificate) \(key): it was taken")
            } catch {
                #expect(error.description == problem)
            }
        }
    }

    /// The certificate that a new connection is shown.
    private func shown(at port: Int) async throws -> [UInt8]? {
        let connection = try connection()
        let answer = try await connection.answer(to: Self.question, at: port)
        #expect(answer.hasPrefix("HTTP/1.1 200 OK"), "\(answer)")
        return connection.certificate
    }

    private func exchange(_ from: String, _ to: String, mode: mode_t? = nil) throws {
        // With its mode: that of a key is one that others may not read.
        try FileManager.default.copyItem(atPath: from, toPath: to + ".new")
        if let mode { try #require(chmod(to + ".new", mode) == 0) }
        try #require(rename(to + ".new", to) == 0)
    }

    private func bytes(_ file: String) throws -> [UInt8]? {
        try NIOSSLCertificate.fromPEMFile(file).first?.toDERBytes()
    }

    @Test func `a certificate that is exchanged is shown from then on, once it fits its key`() async throws {
        let (files, new) = (try make("a"), try make("b"))
        let old = try bytes(files.certificate)
        let certificate = try load(files, lookEvery: .zero)
        try await serve(certificate) { port in
            #expect(try await self.shown(at: port) == old)
            try self.exchange(new.certificate, files.certificate)
            #expect(try await self.shown(at: port) == old)
            #expect(certificate.isRefused)
            try self.exchange(new.key, files.key)
            #expect(try await self.shown(at: port) == self.bytes(new.certificate))
            #expect(!certificate.isRefused)
            try "broken".write(toFile: files.certificate, atomically: true, encoding: .utf8)
            #expect(try await self.shown(at: port) == self.bytes(new.certificate))
            #expect(certificate.isRefused)
        }
    }

    @Test func `a key that was refused for its mode is taken once that is mended`() async throws {
        let (files, new) = (try make("a"), try make("b"))
        let old = try bytes(files.certificate)
        let certificate = try load(files, lookEvery: .zero)
        try await serve(certificate) { port in
            try self.exchange(new.key, files.key, mode: 0o644)
            try self.exchange(new.certificate, files.certificate)
            #expect(try await self.shown(at: port) == old)
            #expect(certificate.isRefused)
            try #require(chmod(files.key, 0o600) == 0)
            #expect(try await self.shown(at: port) == self.bytes(new.certificate))
            #expect(!certificate.isRefused)
        }
    }
}
