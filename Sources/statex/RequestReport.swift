import Foundation
import StatexClient
import StatexProtocol

/// A request as `submit` prints it: one JSON object, or lines for people.
struct RequestReport {
    let json: String
    let text: String

    private enum Content {
        case json(String)
        case text(String)
        case base64(String)
        /// A reference that cannot be followed here.
        case object(String)
    }

    /// - Parameter isDuplicate: what was submitted was not taken, because this one stands in its place.
    init(_ status: RequestStatus, isDuplicate: Bool, withResults: Bool, client: Client) async {
        var contents: [Content?] = []
        for job in status.jobs {
            guard withResults, let result = job.result else {
                contents.append(nil)
                continue
            }
            contents.append(await Self.content(of: result, client))
        }
        json = Self.json(status, contents, isDuplicate)
        text = Self.text(status, contents, isDuplicate)
    }

    private static func content(of result: Payload, _ client: Client) async -> Content {
        let bytes: [UInt8]
        do throws(ClientError) { bytes = try await client.bytes(of: result) } catch {
            complain("a result cannot be read: \(error)")
            if case .object(let reference) = result, let text = jsonValue(reference) { return .object(text) }
            return .object("null")
        }
        if let value = jsonValue(bytes) { return .json(value) }
        if let text = String(validating: bytes, as: UTF8.self), !text.utf8.contains(0) { return .text(text) }
        return .base64(Data(bytes).base64EncodedString())
    }

    /// The bytes as they are if they are one JSON value in UTF-8. (The parser would take UTF-16 and a mark too.)
    private static func jsonValue(_ bytes: [UInt8]) -> String? {
        guard !bytes.contains(0), bytes.first != 0xEF, let text = String(validating: bytes, as: UTF8.self),
            (try? JSONSerialization.jsonObject(with: Data(bytes), options: [.fragmentsAllowed])) != nil
        else { return nil }
        return text
    }

    private static func json(_ status: RequestStatus, _ contents: [Content?], _ isDuplicate: Bool) -> String {
        var out = JSONText()
        out.object { out in
            out.member("request", status.id.description)
            out.member("state", status.state.name)
            if isDuplicate { out.member("duplicate", true) }
            out.array("jobs", Array(zip(status.jobs, contents))) { item, out in
                let (job, content) = item
                out.member("id", job.id.description)
                out.member("kind", job.kind)
                out.member("state", job.state.name)
                out.member("attempts", job.attempts)
                if job.losses > 0 { out.member("losses", job.losses) }
                switch content {
                case .json(let value): out.raw("\"result\":\(value)")
                case .text(let text): out.object("result") { $0.member("text", text) }
                case .base64(let text): out.object("result") { $0.member("base64", text) }
                case .object(let reference): out.object("result") { $0.raw("\"object\":\(reference)") }
                case nil: break
                }
                if let error = job.error {
                    out.object("error") {
                        $0.member("class", error.errorClass)
                        $0.member("message", error.message)
                    }
                }
            }
        }
        return String(decoding: out.bytes, as: UTF8.self)
    }

    private static func text(_ status: RequestStatus, _ contents: [Content?], _ isDuplicate: Bool) -> String {
        var lines = [
            "request \(status.id): \(status.state.name)" + (isDuplicate ? ", there before under its unique key" : "")
        ]
        for (job, content) in zip(status.jobs, contents) {
            lines.append("\(printable(job.kind)) \(job.id): \(job.state.name), attempts \(job.attempts)")
            switch content {
            case .json(let text), .object(let text): lines += indented(shortened(json: text))
            case .text(let text): lines += indented(text)
            case .base64(let text):
                lines += indented("\(text.utf8.count * 3 / 4) bytes that are no text; --json shows them")
            case nil: break
            }
            if let error = job.error { lines += indented("\(error.errorClass): \(error.message)") }
        }
        return lines.joined(separator: "\n")
    }

    /// Results are not trusted: nothing in them reaches a terminal as a control but their lines and tabs.
    static func indented(_ text: String) -> [String] {
        guard !text.isEmpty else { return [] }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            "    "
                + line.split(separator: "\t", omittingEmptySubsequences: false).map(printable).joined(separator: "\t")
        }
    }
}

/// Without control characters, and without those that turn the direction of what follows.
func printable(_ text: some StringProtocol) -> String {
    var shown = ""
    for scalar in text.unicodeScalars {
        let isControl = scalar.properties.generalCategory == .control || scalar.properties.isBidiControl
        shown += isControl ? scalar.escaped(asASCII: true) : String(scalar)
    }
    return shown
}
