import Foundation
import StatexLog
import Testing

@Suite struct LogTests {
    private func line(
        _ message: String, _ fields: KeyValuePairs<String, String> = [:], json: Bool
    ) -> String {
        Log.line(
            .warning, "worker", message, fields.map { ($0.key, $0.value) }, json: json, at: 1_769_860_800_123_456)
    }

    @Test func `a line for people has time, level, who, words and what belongs to them`() {
        #expect(
            line("an attempt failed", ["job": "7", "kind": "a b"], json: false)
                == "2026-01-31T12:00:00.123Z warning worker: an attempt failed job=7 kind=\"a b\"\n")
    }

    @Test(arguments: ["plain", "two\nlines", #"a "quoted" \ one"#, "größe 🦜", "tab\t, bell \u{7}", ""])
    func `a line for machines is one object, whatever is said`(message: String) throws {
        let text = line(message, ["job": message], json: true)
        #expect(text.hasSuffix("}\n") && text.dropLast().allSatisfy { !$0.isNewline })
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: String])
        #expect(
            object == [
                "time": "2026-01-31T12:00:00.123Z", "level": "warning", "component": "worker", "message": message,
                "job": message,
            ])
    }

    @Test func `of many lines in a second ten are said, and the next says how many were left out`() {
        var budget = LineBudget()
        #expect(
            (0..<25).map { _ in budget.take(at: 7) } == Array(repeating: 0, count: 10)
                + Array(repeating: nil, count: 15))
        #expect(budget.take(at: 8) == 15 && budget.take(at: 8) == 0)
    }

    @Test func `a line for people stays one line`() {
        let text = line("two\nlines", ["key": "and\nmore"], json: false)
        #expect(text.dropLast().allSatisfy { !$0.isNewline })
    }
}
