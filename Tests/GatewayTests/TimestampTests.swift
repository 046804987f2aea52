import Testing

@testable import StatexGateway

struct TimestampTests {
    @Test(
        arguments: [
            ("2026-11-26T01:00:00Z", 1_795_654_800_000_000), ("2026-11-26T01:00:00.5Z", 1_795_654_800_500_000),
            ("2026-11-26T03:00:00.000001+02:00", 1_795_654_800_000_001), ("1970-01-01T00:00:00Z", 0),
            ("2026-11-25T20:30:00-04:30", 1_795_654_800_000_000),
        ] as [(String, Int64)])
    func `a time is a moment, wherever it was written`(text: String, microseconds: Int64) {
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test(arguments: [
        "", "now", "2026-11-26", "2026-11-26T01:00:00", "2026-11-26T01:00:00Z*", "2026-11-26T01:00:00Zx",
        "2026-11-26T01:00:00Z ", " 2026-11-26T01:00:00Z", "2026-11-26T01:00:00.Z", "2026-11-26 01:00:00Z",
        "2026-11-26T01:00:00+02", "2026-11-26T01:00:00+02:00:00", "20261126T010000Z", "2026-11-26T01:00:00,5Z",
        "1969-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-11-26T01:00:00Z\n", "２026-11-26T01:00:00Z",
        "2026-11-26T01:00:00.1234567890123Z", "-026-11-26T01:00:00Z", "2026-13-26T01:00:00Z",
    ])
    func `what is no time, or has something around it, is none`(text: String) {
        #expect(Timestamp(text) == nil)
    }
}
