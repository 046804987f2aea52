import StatexProtocol

/// What a part of a form says about itself.
struct PartHead: Equatable {
    /// The field.
    let name: String
    /// As the sender calls the file; nil: it is none, but a field. It is shown to nobody and names nothing.
    let fileName: String?
    /// Without its parameters, in lower case.
    let mediaType: String?

    /// All lines of a head together.
    static let limit = 4 << 10
    private static let fields = 16
    static let nameBytes = 64

    static let tooLong = MultipartError("the head of a part has more than \(limit) bytes")

    /// The lines of one head, as they come.
    struct Lines {
        private var bytes = 0
        private var fields: [(name: String, value: String)] = []

        /// - Returns: the head, at its end.
        mutating func take(_ line: [UInt8]) throws(MultipartError) -> PartHead? {
            bytes += line.count + 2
            guard bytes <= PartHead.limit else { throw PartHead.tooLong }
            guard !line.isEmpty else {
                let head = try PartHead(fields)
                self = Lines()
                return head
            }
            guard fields.count < PartHead.fields else {
                throw MultipartError("the head of a part has more than \(PartHead.fields) fields")
            }
            fields.append(try Self.field(line))
            return nil
        }

        private static func field(_ line: [UInt8]) throws(MultipartError) -> (name: String, value: String) {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")),
                let name = String(validating: line[..<colon], as: UTF8.self),
                let value = String(validating: line[(colon + 1)...], as: UTF8.self),
                HeaderValue.isToken(name.unicodeScalars),
                value.unicodeScalars.allSatisfy({ ($0.value >= 0x20 || $0 == "\t") && $0.value != 0x7F })
            else {
                throw MultipartError("the head of a part has a line that is no field in UTF-8")
            }
            return (name.lowercased(), value)
        }
    }

    private init(_ fields: [(name: String, value: String)]) throws(MultipartError) {
        func value(_ name: String) throws(MultipartError) -> HeaderValue? {
            let found = fields.filter { $0.name == name }
            guard let field = found.first else { return nil }
            guard found.count == 1, let value = HeaderValue(field.value) else {
                throw MultipartError("the \(name) of a part stands there twice, or cannot be read")
            }
            return value
        }
        guard let disposition = try value("content-disposition"), disposition.value == "form-data",
            let name = disposition.parameters["name"], (1...Self.nameBytes).contains(name.utf8.count)
        else {
            throw MultipartError(
                "a part has no Content-Disposition: form-data with a name of 1 to \(Self.nameBytes) bytes")
        }
        if let encoding = try value("content-transfer-encoding")?.value {
            guard ["7bit", "8bit", "binary"].contains(encoding) else {
                throw MultipartError("the part \(name) is encoded, which forms are not: send its bytes as they are")
            }
        }
        self.name = name
        fileName = disposition.parameters["filename"] ?? disposition.parameters["filename*"]
        mediaType = try value("content-type")?.value
    }

    init(name: String, fileName: String? = nil, mediaType: String? = nil) {
        self.name = name
        self.fileName = fileName
        self.mediaType = mediaType
    }
}
