// Results of other jobs in the body of a request: `{{results}}` and `{{result N}}` stand for their texts.

import StatexHandlerAPI
import StatexProtocol

/// The text of a result: the member `text` of an object, an answer of a chat or completion, else all of it.
/// (The Python handlers follow the same rule, see docs/handlers.md.)
func resultText(_ bytes: [UInt8]) -> String? {
    if let object = try? JSONObject(bytes), let text = answer(in: object) { return text }
    let text = String(validating: bytes, as: UTF8.self)
    return text.flatMap { $0.utf8.contains(0) ? nil : $0 }
}

private func answer(in object: JSONObject) -> String? {
    if let text = object.string("text") { return text }
    guard let choices = object.member("choices"), choices.kind == .array,
        let choice = JSONObject.first(inList: object.text(of: choices))
    else { return nil }
    if let text = choice.string("text") { return text }
    guard let message = choice.member("message"), message.kind == .object else { return nil }
    return (try? JSONObject(choice.text(of: message)))?.string("content")
}

/// Puts the texts of results into a payload where it names them.
struct ResultTexts {
    /// By the job that each is of.
    private let texts: [(job: Int, text: String)]

    init(_ inputs: [JobInput], read: (Payload) throws(HandlerError) -> [UInt8]) throws(HandlerError) {
        var texts: [(job: Int, text: String)] = []
        for input in inputs {
            guard let text = resultText(try read(input.payload)) else {
                throw HandlerError(.payload, "the result of job \(input.job) is no text", retryable: false)
            }
            texts.append((input.job, text))
        }
        self.texts = texts
    }

    /// - Parameter payload: JSON, with `{{…}}` inside strings.
    func fill(_ payload: [UInt8], limit: Int) throws(HandlerError) -> [UInt8] {
        var filled: [UInt8] = []
        var rest = payload[...]
        var isNamed = false
        while let open = rest.firstRange(of: Array("{{result".utf8)) {
            filled += rest[..<open.lowerBound]
            let after = rest[open.upperBound...]
            guard let close = after.prefix(32).firstRange(of: Array("}}".utf8)) else {
                throw misnamed(after.prefix(16))
            }
            filled += try text(named: after[..<close.lowerBound])
            guard filled.count <= limit else {
                throw HandlerError(
                    .payload, "with the results in it the payload has more than \(limit) bytes, which is the limit",
                    retryable: false)
            }
            rest = after[close.upperBound...]
            isNamed = true
        }
        guard isNamed else {
            throw HandlerError(
                .payload,
                "the payload does not say where the results of other jobs belong: put {{results}} or {{result N}} into one of its strings",
                retryable: false)
        }
        return filled + rest
    }

    private func text(named name: ArraySlice<UInt8>) throws(HandlerError) -> [UInt8] {
        let text: String
        if Array(name) == Array("s".utf8) {
            text = texts.map(\.text).joined(separator: "\n\n")
        } else if name.first == UInt8(ascii: " "), let job = Int(String(decoding: name.dropFirst(), as: UTF8.self)),
            let found = texts.first(where: { $0.job == job })
        {
            text = found.text
        } else {
            throw misnamed(name)
        }
        return Array(JSONText.quoted(text).utf8.dropFirst().dropLast())
    }

    private func misnamed(_ name: ArraySlice<UInt8>) -> HandlerError {
        let jobs = texts.map { String($0.job) }.joined(separator: ", ")
        return HandlerError(
            .payload, "the payload names a result that the job does not take: it takes those of \(jobs)",
            retryable: false)
    }
}
