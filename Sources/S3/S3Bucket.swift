// Objects in a bucket of S3 or of what speaks like it (MinIO), named by their content as in a folder.
//
// What is put lies in a file without a name first: its length and sum stand in front of the one request that sends
// it, signed, so the service itself refuses what arrives otherwise, and a try that failed is repeated from there.

import Foundation
import NIOHTTP1
import StatexObjects

package final class S3Bucket: ObjectPlace {
    /// What S3 takes in one PUT.
    package static let largest: UInt64 = 5 << 30
    /// A put of what is there already makes it new again, unless it is that young. The youngest object that a sweep
    /// may remove is a day old.
    private static let fresh: Int64 = 43_200_000_000

    package let location: String
    package var scheme: ObjectReference.Scheme { .s3 }
    let service: S3Service
    let bucket: String
    let prefix: String
    private let temporaryDirectory: String

    /// - Parameter prefix: of all keys; nothing else in the bucket is touched.
    package init(_ bucket: String, prefix: String, _ settings: S3Settings) throws(ObjectError) {
        self.bucket = bucket
        self.prefix = prefix.isEmpty ? "" : prefix + "/"
        location = ObjectLocation.bucket(bucket, prefix: prefix).text
        temporaryDirectory = settings.temporaryDirectory
        service = try S3Service(bucket, settings)
    }

    package func begin(limit: UInt64) throws(ObjectError) -> IncomingObject {
        let file = try FileDescriptor.temporary(in: temporaryDirectory)
        return try IncomingObject(file, limit: min(limit, Self.largest)) { [self] written throws(ObjectError) in
            let path = StoredObject.path(of: written.sha256)
            let reference = try ObjectReference(scheme: .s3, path: path, size: written.size, sha256: written.sha256)
            if try !isThere(reference) {
                var request = request("PUT", path)
                request.payloadSHA256 = written.sha256.hex
                try service.send(request, Upload(descriptor: written.file.raw, size: written.size))
            }
            return reference
        }
    }

    /// Whether the same object lies there, and is young for a sweep.
    private func isThere(_ reference: ObjectReference) throws(ObjectError) -> Bool {
        guard let found = try look(reference.path), found.size == reference.size else { return false }
        if found.age < Self.fresh { return true }
        // A sweep may have looked at it while it was old.
        guard renew(reference.path) else { return false }
        return try look(reference.path)?.size == reference.size
    }

    /// Copies an object onto itself, which makes it new.
    /// - Returns: whether that went well. If not, perhaps because it was just removed, it can still be sent.
    private func renew(_ path: String) -> Bool {
        var request = request("PUT", path)
        request.headers = [
            ("x-amz-copy-source", "\(bucket)/\(prefix)\(path)"), ("x-amz-metadata-directive", "REPLACE"),
        ]
        var answer: [UInt8] = []
        do throws(ObjectError) {
            try service.send(request, begin: { answer = [] }) { piece throws(ObjectError) in
                answer += piece.prefix(S3XML.maximumLength - answer.count)
            }
        } catch {
            return false
        }
        // The status is sent before the copy is made, and says nothing.
        return S3XML.read(answer)?.root == "CopyObjectResult"
    }

    package func open(_ reference: ObjectReference) throws(ObjectError) -> FileDescriptor {
        let file = try FileDescriptor.temporary(in: temporaryDirectory)
        var size: UInt64 = 0
        try service.send(
            request("GET", reference.path), expecting: reference.size,
            begin: { () throws(ObjectError) in
                size = 0
                try file.truncate()
            }
        ) { piece throws(ObjectError) in
            size += UInt64(piece.count)
            guard size <= reference.size else { throw .size(expected: reference.size, found: size) }
            try file.write(piece)
        }
        guard size == reference.size else { throw .size(expected: reference.size, found: size) }
        try file.rewind()
        let found = try SHA256.digest(ofFile: file).digest
        guard found == reference.sha256 else { throw .checksum(expected: reference.sha256, found: found) }
        return try file.readOnly()
    }

    package func part(_ range: Range<UInt64>, of reference: ObjectReference) throws(ObjectError) -> [UInt8] {
        guard !range.isEmpty else {
            // There is no range that means nothing.
            guard let found = try look(reference.path) else {
                throw .notFound("s3://\(bucket)/\(prefix)\(reference.path)")
            }
            guard found.size == reference.size else { throw .size(expected: reference.size, found: found.size) }
            return []
        }
        var request = request("GET", reference.path)
        request.headers = [("range", "bytes=\(range.lowerBound)-\(range.upperBound - 1)")]
        var bytes: [UInt8] = []
        let head = try service.send(request, expecting: UInt64(range.count), begin: { bytes = [] }) {
            piece throws(ObjectError) in
            guard piece.count <= range.count - bytes.count else {
                throw .refused("what answered for \(location) sends more than the part that was asked for")
            }
            bytes += piece
        }
        // `bytes 0-99/1234`; one that knows no ranges sent everything.
        let size = head.headers.first(name: "content-range").map {
            $0.split(separator: "/").last.flatMap { UInt64($0) }
        }
        guard (size ?? UInt64(bytes.count)) == reference.size, bytes.count == range.count else {
            throw .size(expected: reference.size, found: (size ?? nil) ?? range.lowerBound + UInt64(bytes.count))
        }
        return bytes
    }

    // MARK: Asking

    struct Found {
        let size: UInt64
        /// When it was put, and how long that is ago by the service's own clock, in microseconds.
        let putAt: Int64
        let age: Int64
    }

    /// What lies at a path; nil: nothing, or we may not know.
    func look(_ path: String) throws(ObjectError) -> Found? {
        let head: HTTPResponseHead
        do throws(ObjectError) {
            head = try service.send(request("HEAD", path))
        } catch {
            // Without the right to list, what is missing is forbidden; what is really forbidden will be said, with a
            // code, by the request that follows.
            switch error {
            case .notFound, .refused: return nil
            default: throw error
            }
        }
        guard let size = head.headers.first(name: "content-length").flatMap({ UInt64($0) }),
            let putAt = head.headers.first(name: "last-modified").flatMap(Self.time)
        else { return nil }
        let now =
            head.headers.first(name: "date").flatMap(Self.time) ?? Int64(Date.now.timeIntervalSince1970) * 1_000_000
        return Found(size: size, putAt: putAt, age: now - putAt)
    }

    /// - Parameter path: relative to the root; nil: the bucket itself.
    func request(_ method: String, _ path: String? = nil) -> S3Request {
        S3Request(method: method, key: path.map { prefix + $0 })
    }

    /// `Mon, 12 Oct 2009 17:50:00 GMT`, in microseconds since 1970.
    static func time(_ text: String) -> Int64? {
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = .gmt
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        // The year may have any number of digits.
        guard let seconds = format.date(from: text)?.timeIntervalSince1970, abs(seconds) < 1e11 else { return nil }
        return Int64(seconds) * 1_000_000
    }
}
