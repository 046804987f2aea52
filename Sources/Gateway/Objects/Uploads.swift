import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization

/// Takes forms in: what every one of them has to keep to.
final class Uploads: Sendable {
    struct Limits: Sendable {
        /// Of the whole form, and of one file.
        var formBytes: Int
        var fileBytes: Int
        /// Of all fields that are no files together: they are held in memory.
        var fieldBytes: Int
    }

    let places: ObjectPlaces
    private let limits: Limits
    /// How many are under way, of each subject.
    private let underWay = Mutex<[String: Int]>([:])

    init(_ settings: GatewaySettings, _ places: ObjectPlaces) {
        self.places = places
        limits = Limits(
            formBytes: settings.uploadLimit, fileBytes: settings.largestObject, fieldBytes: settings.bodyLimit)
    }

    /// Those that are under way.
    var count: Int { underWay.withLock { $0.values.reduce(0, +) } }

    /// Returns when all has come and the files are durable. Of a form that is cut or refused nothing stays but files
    /// that had come whole: nothing names them, and a sweep takes them.
    /// - Parameters:
    ///   - share: of who sends it, for the fields.
    ///   - begins: called when nothing speaks against it.
    func read(
        _ request: Request, of share: BodyShare, begins: () -> Void = {}
    ) async throws -> UploadedForm {
        let boundary = try Self.boundary(request)
        guard Body.saidLength(request) <= limits.formBytes else {
            throw Problem.tooLarge("the form", limit: limits.formBytes)
        }
        try enter(share.subject)
        defer { leave(share.subject) }
        begins()
        var reader = FormReader(boundary: boundary, limits, places, share)
        let end = ContinuousClock.now + GatewayLimits.uploadTime
        do {
            for try await bytes in request.body {
                guard ContinuousClock.now < end else { throw Problem.uploadTooSlow }
                try await reader.take(bytes)
            }
            return try reader.finish()
        } catch let error as MultipartError {
            throw Problem.malformed("the form cannot be read: \(error.reason)")
        }
    }

    private func enter(_ subject: String) throws(Problem) {
        try underWay.withLock { counts throws(Problem) in
            let own = counts[subject, default: 0]
            guard own < GatewayLimits.uploadsOfSubject else {
                throw .tooMany("\(subject) has \(own) uploads under way, which is the limit", seconds: 5)
            }
            guard counts.values.reduce(0, +) < GatewayLimits.uploads else {
                throw .unavailable("\(GatewayLimits.uploads) uploads are under way", code: "busy")
            }
            counts[subject] = own + 1
        }
    }

    private func leave(_ subject: String) {
        underWay.withLock { counts in
            let left = counts[subject, default: 0] - 1
            counts[subject] = left > 0 ? left : nil
        }
    }

    private static func boundary(_ request: Request) throws(Problem) -> String {
        let type = request.headers[.contentType].flatMap(HeaderValue.init)
        guard let boundary = type?.parameters["boundary"], (1...70).contains(boundary.utf8.count),
            boundary.unicodeScalars.allSatisfy(isOfBoundary), boundary.last != " "
        else {
            throw .malformed("Content-Type has no boundary of 1 to 70 characters as RFC 2046 has them")
        }
        return boundary
    }

    private static func isOfBoundary(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "'", "(", ")", "+", "_", ",", "-", ".", "/", ":", "=", "?", " ": true
        default: false
        }
    }
}
