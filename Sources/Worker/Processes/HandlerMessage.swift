// The words of the line protocol (docs/handlers.md). What a handler prints is untrusted.

import StatexHandlerAPI
import StatexProtocol

/// What a handler says in one line.
enum HandlerMessage: Sendable, Equatable {
    case ready(name: String, version: String)
    case unavailable(reason: String)
    case progress(id: String, Progress)
    /// Output for who follows the job.
    case partial(id: String, String)
    /// The JSON text of what the next attempt is to get, exactly as it was printed.
    case checkpoint(id: String, data: [UInt8])
    /// The result's JSON text exactly as it was printed.
    case result(id: String, text: [UInt8])
    case error(id: String, HandlerError)

    /// The job that it is about.
    var id: String? {
        switch self {
        case .ready, .unavailable: nil
        case .progress(let id, _), .partial(let id, _), .checkpoint(let id, _), .result(let id, _), .error(let id, _):
            id
        }
    }
}

/// A line that breaks the protocol.
struct ProtocolViolation: Error, Equatable {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

/// The one version there is.
let protocolVersion = 1

/// As `HandlerError` promises.
private let messageLimit = 4 << 10
private let classLimit = 64
/// 30 days: a longer delay is a mistake of units.
private let retryLimitSeconds = 2_592_000.0

extension HandlerMessage {
    init(line: [UInt8]) throws(ProtocolViolation) {
        let object: JSONObject
        do {
            object = try JSONObject(line)
        } catch {
            throw ProtocolViolation("\(error) (stdout is for the protocol; print everything else to stderr)")
        }
        guard let type = object.string("type") else { throw ProtocolViolation("a line without a type") }
        switch type {
        case "ready":
            guard object.integer("protocol") == protocolVersion else {
                throw ProtocolViolation("ready: protocol must be \(protocolVersion)")
            }
            self = .ready(name: cut(object.string("name") ?? ""), version: cut(object.string("version") ?? ""))
        case "unavailable":
            self = .unavailable(reason: cut(object.string("reason") ?? "no reason given"))
        case "progress":
            guard let fraction = object.number("fraction"), (0...1).contains(fraction) else {
                throw ProtocolViolation("progress: fraction must be from 0 to 1")
            }
            self = .progress(
                id: try object.id(type), Progress(fraction: fraction, text: cut(object.string("text") ?? "")))
        case "partial":
            let value = object.member("value")
            guard object.string("text") != nil || value != nil else {
                throw ProtocolViolation("partial: text must be a string, or value anything")
            }
            // A value is a line of its own, as it was printed.
            let line = value.map { String(decoding: object.text(of: $0), as: UTF8.self) + "\n" }
            self = .partial(id: try object.id(type), (object.string("text") ?? "") + (line ?? ""))
        case "checkpoint":
            guard let data = object.member("data") else { throw ProtocolViolation("checkpoint: data is missing") }
            self = .checkpoint(id: try object.id(type), data: object.text(of: data))
        case "result":
            guard let result = object.member("result") else { throw ProtocolViolation("result: result is missing") }
            self = .result(id: try object.id(type), text: object.text(of: result))
        case "error":
            self = .error(id: try object.id(type), try HandlerError(object))
        default: throw ProtocolViolation("an unknown type")
        }
    }
}

extension JSONObject {
    fileprivate func id(_ type: String) throws(ProtocolViolation) -> String {
        guard let id = string("id") else { throw ProtocolViolation("\(type): id must be the job's, a string") }
        return id
    }
}

extension HandlerError {
    fileprivate init(_ object: JSONObject) throws(ProtocolViolation) {
        guard let errorClass = object.string("class"), (1...classLimit).contains(errorClass.utf8.count),
            errorClass.utf8.allSatisfy(isClassByte)
        else {
            throw ProtocolViolation("error: class must be 1 to \(classLimit) letters, digits, `_`, `.` and `-`")
        }
        guard object.member("retryable") == nil || object.boolean("retryable") != nil else {
            throw ProtocolViolation("error: retryable must be true or false")
        }
        var delay: Int?
        if let member = object.member("retry_after"), member.kind != .null {
            guard let seconds = object.number("retry_after"), (0...retryLimitSeconds).contains(seconds) else {
                throw ProtocolViolation("error: retry_after must be from 0 to \(Int(retryLimitSeconds)) seconds")
            }
            delay = Int((seconds * 1_000).rounded(.up))
        }
        self.init(
            errorClass, cut(object.string("message") ?? ""), retryable: object.boolean("retryable") ?? true,
            retryAfterMilliseconds: delay)
    }
}

private func isClassByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"):
        true
    default: false
    }
}

/// At most 4 KiB of `text`, cut between characters.
func cut(_ text: String, to limit: Int = messageLimit) -> String {
    guard text.utf8.count > limit else { return text }
    var end = text.utf8.index(text.startIndex, offsetBy: limit)
    while end > text.startIndex, end.samePosition(in: text.unicodeScalars) == nil { end = text.utf8.index(before: end) }
    return String(text[..<end])
}

/// What the worker says to start a job.
/// - Parameter members: of `jobMembers`.
func jobLine(_ members: String) -> [UInt8] { Array("{\"type\":\"job\",\(members)}\n".utf8) }

/// What it says to start several that run together.
func jobsLine(_ members: [String]) -> [UInt8] {
    let jobs = members.map { "{\($0)}" }.joined(separator: ",")
    return Array("{\"type\":\"jobs\",\"jobs\":[\(jobs)]}\n".utf8)
}

/// What the handler is told of a job.
/// - Parameter limit: how long it may run, in milliseconds; 0: no limit.
func jobMembers(_ job: Job, _ names: ContentNames, _ sizes: ContentSizes, directory: String, limit: Int) -> String {
    let inputs = zip(job.inputs, sizes.inputs).map { input, size in
        #"{"job":\#(input.job),"path":"\#(names.input(input))","size":\#(size)}"#
    }
    let checkpoint = job.checkpoint.flatMap(checkpointMember) ?? ""
    let trace = job.trace.map { #","traceparent":"\#($0)""# } ?? ""
    return """
        "id":"\(job.id)","kind":\(JSONText.quoted(job.kind)),"attempt":\(job.attempt),\
        "payload":{"path":"\(names.payload)","size":\(sizes.payload)},\
        "inputs":[\(inputs.joined(separator: ","))],"directory":\(JSONText.quoted(directory)),\
        "time_limit_ms":\(limit)\(trace)\(checkpoint)
        """
}

/// A checkpoint as it stands in the line; nil: it is no JSON. (A process handed JSON over, but the handler of
/// the kind may have been another one then.)
private func checkpointMember(_ data: [UInt8]) -> String? {
    let member = Array("\"checkpoint\":".utf8) + data
    let isValue = (try? JSONObject([UInt8(ascii: "{")] + member + [UInt8(ascii: "}")])) != nil
    guard isValue, !data.contains(UInt8(ascii: "\n")) else { return nil }
    return "," + String(decoding: member, as: UTF8.self)
}

/// The files in the private directory that hold what a job is given.
struct ContentNames {
    /// Keeps jobs apart that run together; else empty.
    var prefix = ""

    var payload: String { prefix + "input" }
    /// The result of another job.
    func input(_ input: JobInput) -> String { prefix + "input-\(input.job)" }
}
