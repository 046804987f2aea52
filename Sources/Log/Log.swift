import CLinux
import Glibc
import StatexProtocol

/// One line an event on standard error, for people or (`json`) for machines: what a process says that runs for long.
package struct Log: Sendable {
    package enum Level: String, Sendable {
        case info
        case warning
        case error
    }

    private let component: String
    private let json: Bool

    package init(_ component: String, json: Bool = false) {
        self.component = component
        self.json = json
    }

    package func info(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.info, message, fields)
    }

    package func warning(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.warning, message, fields)
    }

    package func error(_ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(.error, message, fields)
    }

    package func write(_ level: Level, _ message: String, _ fields: KeyValuePairs<String, String> = [:]) {
        write(level, message, fields.map { ($0.key, $0.value) })
    }

    package func write(_ level: Level, _ message: String, _ fields: [(String, String)]) {
        var line = Self.line(level, component, message, fields, json: json, at: clinux_wall_microseconds())
        // One write(2): lines of several threads and processes do not mix.
        line.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }

    /// `2026-01-31T12:00:00.123Z info worker: message key=value`, or the same as a JSON object.
    package static func line(
        _ level: Level, _ component: String, _ message: String, _ fields: [(String, String)], json: Bool,
        at microseconds: Int64
    ) -> String {
        let time = timestamp(microseconds)
        guard json else {
            let pairs = fields.map { " \($0)=\(needsQuotes($1) ? JSONText.quoted($1) : $1)" }.joined()
            let quotedMessage = message.unicodeScalars.contains { $0.value < 0x20 } ? JSONText.quoted(message) : message
            return "\(time) \(level.rawValue) \(component): \(quotedMessage)\(pairs)\n"
        }
        let pairs = fields.map { ",\(JSONText.quoted($0)):\(JSONText.quoted($1))" }.joined()
        return """
            {"time":"\(time)","level":"\(level.rawValue)","component":\(JSONText.quoted(component)),"message":\
            \(JSONText.quoted(message))\(pairs)}\n
            """
    }

    private static func needsQuotes(_ value: String) -> Bool {
        value.isEmpty || value.unicodeScalars.contains { $0.value <= 0x20 || $0 == "\"" || $0 == "=" }
    }

    private static func timestamp(_ microseconds: Int64) -> String {
        var seconds = time_t(microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int32, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(width - digits.count, 0)) + digits
        }
        let milliseconds = Int32(microseconds / 1_000 % 1_000)
        return """
            \(padded(parts.tm_year + 1_900, 4))-\(padded(parts.tm_mon + 1, 2))-\(padded(parts.tm_mday, 2))T\
            \(padded(parts.tm_hour, 2)):\(padded(parts.tm_min, 2)):\(padded(parts.tm_sec, 2)).\
            \(padded(milliseconds, 3))Z
            """
    }
}
