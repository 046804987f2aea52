import NIOCore
import StatexObjects

/// What a form had, in its order.
struct UploadedForm {
    static let mediaType = "multipart/form-data"

    enum Item {
        case text(String)
        case file(File)
    }

    struct File {
        /// The field that it came in.
        let field: String
        let mediaType: String?
        let reference: ObjectReference
    }

    /// The part `request`.
    var request: SubmitBody?
    var items: [Item] = []
}

/// Reads one form as it arrives. Files go into the object store piece by piece; fields are few and small, and kept.
struct FormReader {
    private enum Part {
        /// Between two of them.
        case none
        case field(String, [UInt8])
        /// It is begun in the store when its first bytes are written, or at its end.
        case file(PartHead, IncomingObject?)
    }

    private let limits: Uploads.Limits
    private let places: ObjectPlaces
    private let share: BodyShare
    private var parser: MultipartParser
    private var form = UploadedForm()
    private var part = Part.none
    /// Of the file, what is not written yet.
    private var gathered = ByteBuffer()
    private var parts = 0
    private var bytes = 0
    private var fieldBytes = 0

    init(boundary: String, _ limits: Uploads.Limits, _ places: ObjectPlaces, _ share: BodyShare) {
        parser = MultipartParser(boundary: boundary)
        self.limits = limits
        self.places = places
        self.share = share
    }

    mutating func take(_ piece: ByteBuffer) async throws {
        bytes += piece.readableBytes
        guard bytes <= limits.formBytes else { throw Problem.tooLarge("the form", limit: limits.formBytes) }
        parser.append(piece)
        while let event = try parser.next() {
            switch event {
            case .begin(let head): try begin(head)
            case .content(let content): try await take(content: content)
            case .end: try await end()
            }
        }
    }

    func finish() throws(MultipartError) -> UploadedForm {
        try parser.finish()
        return form
    }

    private mutating func begin(_ head: PartHead) throws(Problem) {
        parts += 1
        guard parts <= GatewayLimits.uploadParts else {
            throw .field("form", "has more than \(GatewayLimits.uploadParts) files and fields; submit several requests")
        }
        switch (head.name, head.fileName) {
        // A browser gives every file a name, also one that a script wrote.
        case ("request", _), ("text", nil): part = .field(head.name, [])
        case (_, nil):
            throw .field(
                Problem.shown(head.name),
                "is no field here; there are request and text, and files, whose Content-Disposition has a filename")
        case (_, _): part = .file(head, nil)
        }
    }

    private mutating func take(content: ByteBuffer) async throws {
        switch part {
        case .none: return
        case .field(let name, var value):
            fieldBytes += content.readableBytes
            guard fieldBytes <= limits.fieldBytes else {
                throw Problem.tooLarge("what the form has beside files", limit: limits.fieldBytes)
            }
            try share.take(content.readableBytes)
            // So that it is not copied.
            part = .none
            value += content.readableBytesView
            part = .field(name, value)
        case .file:
            gathered.writeImmutableBuffer(content)
            if gathered.readableBytes >= GatewayLimits.uploadPiece { try await write() }
        }
    }

    /// Writes what is gathered.
    private mutating func write() async throws {
        guard case .file(let head, let begun) = part else { return }
        let (piece, limit) = (gathered, limits.fileBytes)
        gathered = ByteBuffer()
        let object = try await places.use { stores in
            let object = try begun ?? stores.begin(limit: UInt64(limit))
            do throws(ObjectError) {
                try object.write(piece)
            } catch .tooLarge {
                throw Problem.tooLarge("the file \(Problem.shown(head.name))", limit: limit)
            }
            return object
        }
        part = .file(head, object)
    }

    private mutating func end() async throws {
        switch part {
        case .none: break
        case .field("request", let bytes):
            guard form.request == nil else { throw Problem.field("request", "stands there twice") }
            form.request = try await share.decode(SubmitBody.self, from: bytes, called: "the part request")
        case .field(let name, let bytes):
            guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
                throw Problem.field(name, "must be a text in UTF-8 without NUL")
            }
            // A page sends what was left empty too.
            if !text.isEmpty { form.items.append(.text(text)) }
        // And a file that nobody chose.
        case .file(let head, nil) where head.fileName == "" && gathered.readableBytes == 0: break
        case .file(let head, _):
            try await write()
            guard case .file(_, let object?) = part else { break }
            let reference = try await places.use { _ in try object.finish() }
            form.items.append(.file(.init(field: head.name, mediaType: head.mediaType, reference: reference)))
        }
        part = .none
    }
}

extension IncomingObject {
    fileprivate func write(_ piece: ByteBuffer) throws(ObjectError) {
        // NIO's own method has untyped throws.
        let result: Result<Void, ObjectError> = piece.withUnsafeReadableBytes { bytes in
            Result { () throws(ObjectError) in try write(bytes) }
        }
        try result.get()
    }
}
