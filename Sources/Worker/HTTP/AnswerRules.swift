import Foundation
import StatexHandlerAPI

/// What an answer means for the job: its result, or a failure that is worth another try, or one that is not.
struct AnswerRules {
    /// A server that asks for more is asked again after a day.
    private static let longestWait = 86_400_000
    /// How much of a server's words goes into an error.
    private static let wordsLimit = 500

    private let key: String?
    private let answersJSON: Bool

    init(_ settings: HTTPHandlerSettings) {
        key = settings.key
        // A form may ask for text or subtitles.
        answersJSON = !settings.sendsAudio
    }

    func result(of answer: Answer, now: Date) throws(HandlerError) -> [UInt8] {
        switch answer.status {
        case 200..<300:
            guard !answersJSON || (try? JSONSerialization.jsonObject(with: Data(answer.body))) != nil else {
                throw HandlerError("bad_response", "the server's answer is not JSON")
            }
            return answer.body
        case 408, 425, 429, 500...:
            throw HandlerError(
                "http_\(answer.status)", words(answer),
                retryAfterMilliseconds: answer.retryAfter.flatMap { Self.wait($0, now: now) })
        case 300..<400:
            throw HandlerError(
                "http_\(answer.status)", "the server redirects; configure the address that it redirects to",
                retryable: false)
        default:
            throw HandlerError("http_\(answer.status)", words(answer), retryable: false)
        }
    }

    /// Seconds, or a date of HTTP; nil if it is neither.
    static func wait(_ header: String, now: Date) -> Int? {
        let text = header.trimmingCharacters(in: .whitespaces)
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) {
            guard let seconds = Int(text), seconds <= longestWait / 1_000 else { return longestWait }
            return seconds * 1_000
        }
        let format = DateFormatter()
        format.locale = Locale(identifier: "en_US_POSIX")
        format.timeZone = TimeZone(secondsFromGMT: 0)
        format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        guard let date = format.date(from: text) else { return nil }
        let milliseconds = date.timeIntervalSince(now) * 1_000
        return Int(min(max(milliseconds, 0), Double(longestWait)))
    }

    /// The server's own words, if it may be quoted: never the key, and nothing about who we are.
    private func words(_ answer: Answer) -> String {
        let status = "the server answered \(answer.status)"
        guard answer.status != 401, answer.status != 403 else { return status + ": the key is not accepted" }
        let body = Data(answer.body.prefix(64 << 10))
        let object = (try? JSONSerialization.jsonObject(with: body)) as? [String: Any]
        let error = object?["error"] as? [String: Any]
        let text =
            error?["message"] as? String ?? object?["message"] as? String ?? String(decoding: body, as: UTF8.self)
        var words = String(text.prefix(Self.wordsLimit))
        if let key, !key.isEmpty { words = words.replacingOccurrences(of: key, with: "[key]") }
        return words.isEmpty ? status : status + ": " + words
    }
}
