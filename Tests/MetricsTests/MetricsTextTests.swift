import StatexMetrics
import Testing

@Suite struct MetricsTextTests {
    private func written(_ body: (inout MetricsText) -> Void) -> String {
        var text = MetricsText()
        body(&text)
        return String(decoding: text.bytes, as: UTF8.self)
    }

    @Test func `a family is its help, its type, and a line for each sample`() {
        let text = written {
            $0.counter("statex_a_total", "Things.", [([("kind", "text")], 3), ([("kind", "audio"), ("x", "y")], 0)])
            $0.gauge("statex_b", "Others.", 0.25)
        }
        #expect(
            text == """
                # HELP statex_a_total Things.
                # TYPE statex_a_total counter
                statex_a_total{kind="text"} 3
                statex_a_total{kind="audio",x="y"} 0
                # HELP statex_b Others.
                # TYPE statex_b gauge
                statex_b 0.25

                """)
    }

    @Test func `a histogram has cumulative buckets up to infinity, a sum and a count`() {
        var histogram = Histogram()
        histogram.add(100_000)
        histogram.add(1_000_000_000)
        let lines = written { $0.histogram("statex_c_seconds", "Times.", [([("kind", "k")], histogram)]) }
            .split(separator: "\n").map(String.init)
        #expect(lines.count == 2 + Histogram.bounds.count + 3)
        #expect(lines[2] == #"statex_c_seconds_bucket{kind="k",le="0.0001"} 1"#)
        #expect(lines.contains(#"statex_c_seconds_bucket{kind="k",le="0.5"} 1"#))
        #expect(lines.contains(#"statex_c_seconds_bucket{kind="k",le="1"} 2"#))
        #expect(lines.contains(#"statex_c_seconds_bucket{kind="k",le="10000"} 2"#))
        #expect(
            lines.suffix(3) == [
                #"statex_c_seconds_bucket{kind="k",le="+Inf"} 2"#, #"statex_c_seconds_sum{kind="k"} 1.0001"#,
                #"statex_c_seconds_count{kind="k"} 2"#,
            ])
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\"b", #"a\"b"#), ("a\\b", #"a\\b"#), ("two\nlines", #"two\nlines"#),
        ("\"}\nstatex_fake 1\n", #"\"}\nstatex_fake 1\n"#), ("größe 🦜", "größe 🦜"),
    ]) func `a name from outside cannot leave its label`(name: String, escaped: String) {
        let lines = written { $0.gauge("statex_d", "Names.", [([("kind", name)], 1)]) }.split(separator: "\n")
        #expect(lines.count == 3)
        #expect(lines.last.map(String.init) == "statex_d{kind=\"\(escaped)\"} 1")
    }

    @Test(arguments: [
        (0.0, "0"), (12, "12"), (-3, "-3"), (1.5, "1.5"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        (1e-7, "1e-07"), (1e300, "1e+300"),
    ]) func `numbers are written as the format reads them`(value: Double, text: String) {
        #expect(written { $0.gauge("statex_e", "Numbers.", value) }.hasSuffix("statex_e \(text)\n"))
    }
}
