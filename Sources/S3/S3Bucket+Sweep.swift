import Foundation
import StatexObjects

extension S3Bucket {
    package func check() throws(ObjectError) { _ = try page(after: nil, count: 1) }

    package func forEachObject(_ body: (StoredObject) throws(ObjectError) -> Void) throws(ObjectError) {
        var next: String?
        repeat {
            let page = try page(after: next, count: 1_000)
            for entry in page.entries { if let object = object(entry) { try body(object) } }
            next = page.texts["IsTruncated"] == "true" ? page.texts["NextContinuationToken"] : nil
        } while next != nil
    }

    /// Looks once more before it removes. (S3 has no request that removes what is still old: what is put between
    /// those two, a round trip apart, would be lost. Whoever puts looks again too.)
    package func remove(_ object: StoredObject, unlessPutAfter limit: Int64) throws(ObjectError) -> Bool {
        guard let found = try look(object.path), found.putAt <= limit else { return false }
        try service.send(request("DELETE", object.path))
        return true
    }

    private func page(after token: String?, count: Int) throws(ObjectError) -> S3XML {
        var request = request("GET")
        // Keys of others may hold what XML cannot.
        request.query = [
            ("list-type", "2"), ("encoding-type", "url"), ("prefix", prefix), ("max-keys", String(count)),
        ]
        if let token { request.query.append(("continuation-token", token)) }
        var bytes: [UInt8] = []
        try service.send(request, begin: { bytes = [] }) { piece throws(ObjectError) in
            guard bytes.count + piece.count <= S3XML.maximumLength else {
                throw .refused("S3's list of \(location) has more than \(S3XML.maximumLength) bytes a page")
            }
            bytes += piece
        }
        guard let page = S3XML.read(bytes), page.root == "ListBucketResult" else {
            throw .refused("what answered for \(location) is no list of S3; correct s3_endpoint")
        }
        return page
    }

    /// nil: it is none of ours.
    private func object(_ entry: S3XML.Entry) -> StoredObject? {
        guard let key = entry.key.removingPercentEncoding, key.hasPrefix(prefix),
            let name = key.split(separator: "/").last, let sha256 = SHA256Digest(hex: name),
            key == prefix + StoredObject.path(of: sha256), let size = UInt64(entry.size),
            size <= Self.largest, let putAt = Self.listedTime(entry.modified)
        else { return nil }
        return StoredObject(sha256: sha256, size: size, putAt: putAt)
    }

    /// `2009-10-12T17:50:30.000Z`, with or without the fraction, in microseconds since 1970.
    static func listedTime(_ text: String) -> Int64? {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: text.contains("."))
        guard let date = try? style.parse(text) else { return nil }
        return Int64(exactly: (date.timeIntervalSince1970 * 1_000_000).rounded())
    }
}
