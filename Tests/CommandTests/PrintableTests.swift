import Testing

@testable import statex

/// What others wrote, on a terminal.
@Suite struct PrintableTests {
    @Test(arguments: [
        ("\u{1B}[2J", #"\u{1B}[2J"#), ("a\nb\u{7}", #"a\nb\u{07}"#), ("\u{9B}m", #"\u{009B}m"#), ("a\tb", #"a\tb"#),
        ("txt.\u{202E}exe", #"txt.\u{202E}exe"#), ("\u{2066}a\u{2069}\u{200F}", #"\u{2066}a\u{2069}\u{200F}"#),
        ("né 你 👩‍🚀", "né 你 👩‍🚀"),
    ])
    func `no control, no tab and no turn of the direction is written as such`(text: String, shown: String) {
        #expect(printable(text) == shown)
    }

    @Test func `a cell with a tab leaves the columns where they are`() {
        var table = TextTable("TENANT", "STATE")
        table.add(["a\tb", "dead"])
        table.add(["c", "open"])
        #expect(table.lines == ["TENANT  STATE", #"a\tb    dead"#, "c       open"])
    }

    @Test func `the tabs of a result stay`() {
        #expect(RequestReport.indented("a\tb\n\tc\u{1B}") == ["    a\tb", "    \tc\\u{1B}"])
    }
}
