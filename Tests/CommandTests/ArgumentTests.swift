import Testing

@testable import statex

@Suite struct ArgumentTests {
    private func fault(_ words: [UInt8]...) -> String? { Arguments.fault(in: words) }
    private let broken: [UInt8] = [0x61, 0xFF]

    @Test func `text passes`() {
        #expect(fault() == nil)
        #expect(fault(Array("submit".utf8), Array("--text".utf8), Array("Grüße 👋".utf8), []) == nil)
    }

    @Test func `what is not UTF-8 is refused with its option's name`() throws {
        let apart = try #require(fault(Array("submit".utf8), Array("--payload".utf8), broken))
        #expect(apart.hasPrefix("--payload: the value is not valid UTF-8"))
        let joined = try #require(fault(Array("submit".utf8), Array("--text=".utf8) + broken))
        #expect(joined.hasPrefix("--text: "))
        let bare = try #require(fault(Array("--wait".utf8) + broken))
        #expect(bare.hasPrefix("argument 1: "))
        #expect(fault(broken)?.hasPrefix("argument 1: ") == true)
    }
}

@Suite struct RepeatedOptionTests {
    private func take(_ words: String...) -> (RepeatedOptions, rest: [String]) {
        var options = RepeatedOptions()
        let rest = options.take(["kind", "payload"], from: words)
        return (options, rest)
    }

    @Test func `values are gathered in order, the rest is left to the parser`() {
        let (options, rest) = take(
            "--kind", "a", "--wait", "--payload=x=y", "--kind=b", "--endpoint", "e", "--payload", "", "--payload=")
        #expect(options["kind"] == ["a", "b"])
        #expect(options["payload"] == ["x=y", "", ""])
        #expect(options["text"].isEmpty)
        #expect(rest == ["--wait", "--endpoint", "e"])
    }

    @Test func `what is wrong is left to the parser, and so is what follows two dashes`() {
        #expect(take("--kind").rest == ["--kind"])
        #expect(take("--kind", "--payload", "x").rest == ["--kind"])
        #expect(take("--kinds", "x", "-kind", "y").rest == ["--kinds", "x", "-kind", "y"])
        #expect(take("--", "--kind", "a").rest == ["--", "--kind", "a"])
    }

    @Test func `as many as a request takes are parsed with all their values`() throws {
        var words: [String] = []
        for job in 0..<4_096 { words += ["--kind", "k\(job)", "--payload", "p\(job)"] }
        var options = RepeatedOptions()
        #expect(options.take(SubmitCommand.repeatable, from: words).isEmpty)
        var submit = try #require(try Statex.parseAsRoot(["submit"]) as? SubmitCommand)
        submit.add(options)
        #expect(submit.kind == (0..<4_096).map { "k\($0)" })
        #expect(submit.payload.last == "p4095")
    }
}
