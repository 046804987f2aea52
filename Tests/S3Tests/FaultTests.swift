import Foundation
import S3TestServer
import StatexObjects
import Testing

@testable import StatexS3

/// What a service and a network do to us.
struct FaultTests {
    private let server: S3TestServer

    init() throws { server = try S3TestServer() }

    @Test(arguments: [["slow-down"], ["error", "slow-down"], ["drop"], ["drop", "drop", "error", "slow-down"]])
    func `a put is tried again`(faults: [String]) throws {
        let bucket = try server.bucket()
        // The first request of a put is a look.
        for before in [[], ["none"]] {
            try server.order(before + faults)
            let bytes = [UInt8](repeating: UInt8(before.count), count: 600_000)
            let reference = try bucket.put(bytes)
            #expect(try server.requests().count == faults.count + 2)
            #expect(try bucket.read(reference, limit: 1 << 20) == bytes)
        }
    }

    @Test func `an answer that comes before the body was read is an answer, and the body is sent again`() throws {
        let bucket = try server.bucket()
        let bytes = [UInt8](repeating: 5, count: 30 << 20)
        try server.order(["none", "early"])
        #expect(try bucket.read(bucket.put(bytes), limit: 64 << 20) == bytes)
    }

    @Test(arguments: [["cut"], ["cut", "cut", "slow-down", "drop"]])
    func `an object that is cut in the middle is read again from its beginning`(faults: [String]) throws {
        let bucket = try server.bucket()
        let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        let reference = try bucket.put(bytes)
        try server.order(faults)
        #expect(try bucket.read(reference, limit: 4 << 20) == bytes)
        try server.order(faults)
        #expect(try bucket.part(1_000..<2_500_000, of: reference) == Array(bytes[1_000..<2_500_000]))
        #expect(try server.requests().count == faults.count + 1)
    }

    @Test func `after the last try the error says what, where, how often, and that it may be otherwise later`() throws {
        let bucket = try server.bucket(prefix: "p")
        let reference = try bucket.put([1])
        for (fault, words) in [
            ("slow-down", "503 SlowDown"), ("drop", "cut"), ("cut", "cut"), ("error", "500 InternalError"),
        ] {
            try server.order([String](repeating: fault, count: 5))
            let error = try #require(throws: ObjectError.self) { try bucket.verify(reference) }
            #expect(error.isTransient)
            // A job's people learn that much.
            let outlines = ["", " (503)", " (500)"].map { "the object store is away, or too busy" + $0 }
            #expect(outlines.contains(error.outline))
            for word in [words, "S3 GET s3://objects/p/\(reference.path) at \(server.endpoint)", "5 tries"] {
                #expect(error.description.contains(word), "\(error)")
            }
            #expect(try server.requests().count == 5)
        }
    }

    @Test func `a service that falls silent is not waited for`() throws {
        let bucket = try server.bucket {
            $0.patience.silence = .milliseconds(300)
            $0.patience.attempts = 2
        }
        let reference = try bucket.put([1])
        try server.order(["silent", "silent"])
        let error = try #require(throws: ObjectError.self) { try bucket.verify(reference) }
        #expect(error.isTransient && error.description.contains("silent"), "\(error)")
        try server.order(["silent"])
        try bucket.verify(reference)
    }

    @Test func `nobody listens: it is said, and tried again`() throws {
        let bucket = try server.bucket { $0.endpoint = "http://127.0.0.1:1" }
        let error = try #require(throws: ObjectError.self) { try bucket.put([1]) }
        #expect(error.isTransient)
        #expect(error.description.contains("Connection refused (5 tries)"), "\(error)")
    }

    @Test func `a host that is not known names the key to correct`() throws {
        let bucket = try server.bucket { $0.endpoint = "http://no-such-host.invalid" }
        let error = try #require(throws: ObjectError.self) { try bucket.check() }
        #expect(error.description.contains("no-such-host.invalid"), "\(error)")
    }

    @Test func `wrong keys, a missing bucket and missing rights are refused at once, with the code and what to do`()
        throws
    {
        let start = server.start
        for (bucket, key, secret, code, remedy) in [
            ("objects", start.key, "wrong-secret", "403 SignatureDoesNotMatch", "s3_credentials_file"),
            ("objects", "AKIANOBODY", "wrong-secret", "403 InvalidAccessKeyId", "s3_credentials_file"),
            ("objects", start.deniedKey, start.deniedSecret, "403 AccessDenied", "let these credentials"),
            ("missing", start.key, start.secret, "404 NoSuchBucket", "create the bucket"),
        ] {
            try server.write(key: key, secret: secret)
            let bucket = try server.bucket(bucket)
            let reference = try ObjectReference(scheme: .s3, path: "x", size: 0, sha256: SHA256.digest(of: []))
            for body: () throws -> Void in [
                { _ = try bucket.put([1]) }, { try bucket.verify(reference) }, { try bucket.check() },
            ] {
                try server.order()
                let error = try #require(throws: ObjectError.self) { try body() }
                #expect(!error.isTransient)
                #expect(error.outline == "the object store refused it (\(code.prefix(3)))")
                #expect(error.description.contains(code) && error.description.contains(remedy), "\(error)")
                #expect(error.description.contains("s3://\(bucket.bucket)"))
                #expect(!error.description.contains(secret))
                #expect(try server.requests().count <= 2)
            }
        }
    }

    @Test func `a body that arrived otherwise than it was signed is refused by the service`() throws {
        let bucket = try server.bucket()
        let input = try server.write([UInt8](repeating: 1, count: 10), to: "input")
        let descriptor = try FileDescriptor.open(input, O_RDONLY).release()
        defer { close(descriptor) }
        var request = bucket.request("PUT", "x")
        request.payloadSHA256 = String(repeating: "0", count: 64)
        let upload = Upload(descriptor: descriptor, size: 10)
        let error = try #require(throws: ObjectError.self) { try bucket.service.send(request, upload) }
        #expect(error.description.contains("XAmzContentSHA256Mismatch"), "\(error)")
        #expect(try server.keys() == [])
    }

    @Test func `credentials that are exchanged are used from then on`() throws {
        let bucket = try server.bucket()
        try bucket.check()
        try server.write(key: "X", secret: "Y")
        #expect(throws: ObjectError.self) { try bucket.check() }
        try server.write(key: server.start.key, secret: server.start.secret)
        try bucket.check()
    }

    @Test(arguments: [0o644, 0o640, 0o620])
    func `credentials that others may read or write are refused with what to do`(mode: Int) throws {
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: server.credentialsFile)
        let error = try #require(throws: ObjectError.self) { try server.bucket().check() }
        let words = mode == 0o620 ? "others may write there" : "run: chmod 0600 \(server.credentialsFile)"
        #expect(error.description.contains(words) && !error.description.contains(server.start.secret), "\(error)")
    }

    @Test func `TLS is spoken with the authorities of s3_ca_file, and with no others`() throws {
        let server = try S3TestServer(isTLS: true)
        let bucket = try server.bucket()
        #expect(try bucket.read(bucket.put([1, 2]), limit: 2) == [1, 2])
        let stranger = try server.bucket { $0.authorities = nil }
        let error = try #require(throws: ObjectError.self) { try stranger.check() }
        #expect(!error.isTransient)
        #expect(error.description.contains("TLS"), "\(error)")
        #expect(throws: ObjectError.self) { try server.bucket { $0.authorities = "/nowhere.pem" } }
    }

    @Test func `what answers and is no S3 is said to be none`() throws {
        let bucket = try server.bucket("other", prefix: "p") { $0.endpoint = "http://127.0.0.1:1" }
        #expect(throws: ObjectError.self) { try bucket.check() }
        for url in ["", "ftp://x", "http://", "127.0.0.1"] {
            #expect(throws: ObjectError.self) { try server.bucket { $0.endpoint = url }.check() }
        }
    }
}
