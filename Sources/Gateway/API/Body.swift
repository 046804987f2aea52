import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore
import StatexProtocol

/// A JSON body: of the right type, within its limit, read strictly, and then as what it must be.
struct Body {
    /// - Throws: a problem that names the field.
    static func decode<Value: Decodable & Sendable>(
        _ type: Value.Type, from call: Call, limit: Int
    ) async throws -> Value {
        guard try mediaType(call.request) == json else { throw Problem.unsupportedMediaType([json]) }
        return try await call.body.decode(type, from: collect(call, limit: limit))
    }

    /// - Parameter name: what it is to the sender.
    static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: [UInt8], called name: String
    ) throws -> Value {
        do throws(JSONFailure) { _ = try JSONObject(bytes) } catch {
            throw Problem.malformed("\(name) is no JSON object as it must be: \(error)")
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw Problem.field(error)
        }
    }

    static let json = "application/json"

    /// Without its parameters; nil: there is none, or it cannot be read.
    /// - Throws: it is packed: what unpacks here would let small bodies be large ones.
    static func mediaType(_ request: Request) throws(Problem) -> String? {
        let codings = request.headers[values: .contentEncoding]
        guard codings.allSatisfy({ $0.lowercased() == "identity" }) else { throw .packed }
        return request.headers[.contentType].flatMap(HeaderValue.init)?.value
    }

    /// How long a body says that it is; 0: it does not say. One that is too long for a number is as long as any.
    static func saidLength(_ request: Request) -> Int {
        request.headers[.contentLength].map { Int($0) ?? .max } ?? 0
    }

    /// The bytes, once all are there. What says that it is larger is refused before it is read.
    private static func collect(_ call: Call, limit: Int) async throws -> [UInt8] {
        let length = saidLength(call.request)
        guard length <= limit else { throw Problem.tooLarge("the body", limit: limit) }
        try call.body.check(announced: length)
        call.context.goOn(call.request)
        var bytes: [UInt8] = []
        // What is said is not believed further: a small body fits at once, a large one grows as it comes.
        bytes.reserveCapacity(min(length, GatewayLimits.bodyFreeBytes))
        for try await piece in call.request.body {
            guard bytes.count + piece.readableBytes <= limit else { throw Problem.tooLarge("the body", limit: limit) }
            try call.body.take(piece.readableBytes)
            bytes += piece.readableBytesView
        }
        return bytes
    }
}

/// A value that has the right type and is wrong, or a field that nobody knows.
struct FieldFault: Error {
    let path: [any CodingKey]
    let message: String
}

extension Decoder {
    /// The fields of an object; one that is not of `Keys`, or that is null and not left out, is a mistake of the
    /// sender.
    func fields<Keys: CodingKey & CaseIterable>(_ keys: Keys.Type) throws -> KeyedDecodingContainer<Keys> {
        let known = Set(Keys.allCases.map(\.stringValue))
        for key in try container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            let names = Keys.allCases.map(\.stringValue).joined(separator: ", ")
            throw FieldFault(
                path: codingPath + [AnyKey(stringValue: Problem.shown(key.stringValue))],
                message: "is no field here; there are \(names)")
        }
        let fields = try container(keyedBy: keys)
        for key in fields.allKeys where try fields.decodeNil(forKey: key) {
            throw fields.fault(key, "must not be null; leave it out")
        }
        return fields
    }
}

private struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension Problem {
    /// What a decoder threw.
    fileprivate static func field(_ error: any Error) -> Problem {
        switch error {
        case let fault as FieldFault: .field(name(fault.path), fault.message)
        case DecodingError.keyNotFound(let key, let context): .field(name(context.codingPath + [key]), "is missing")
        case DecodingError.valueNotFound(_, let context): .field(name(context.codingPath), "must not be null")
        case DecodingError.typeMismatch(let type, let context):
            .field(name(context.codingPath), "must be \(words(type))")
        case DecodingError.dataCorrupted(let context): .field(name(context.codingPath), "is out of range")
        default: .malformed("the body cannot be read")
        }
    }

    static func name(_ path: [any CodingKey]) -> String {
        var text = ""
        for key in path {
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += (text.isEmpty ? "" : ".") + key.stringValue
            }
        }
        return text.isEmpty ? "body" : text
    }

    private static func words(_ type: any Any.Type) -> String {
        switch type {
        case is String.Type: "a text"
        case is Int.Type: "a whole number"
        case is Double.Type: "a number"
        case is Bool.Type: "true or false"
        case is [Any].Type: "a list"
        default: "\(type)".hasPrefix("Array") ? "a list" : "an object"
        }
    }
}
