import Testing

@testable import StatexHTTPHandler

@Suite struct RetryAfterTests {
    /// 1994-11-06 08:49:37, the moment of RFC 9110's examples.
    private let moment = 784_111_777

    private func delay(_ retryAfter: String, date: String? = nil) throws -> Int? {
        var response = ResponseParser()
        let fields = "Retry-After: \(retryAfter)\r\n" + (date.map { "Date: \($0)\r\n" } ?? "")
        try response.received(Array("HTTP/1.1 429 Slow down\r\n\(fields)Content-Length: 0\r\n\r\n".utf8))
        return retryDelayMilliseconds(try #require(response.head), now: moment)
    }

    @Test(arguments: [
        ("1", 1_000), ("  30 ", 30_000), ("86400", 86_400_000), ("86401", 86_400_000),
        ("99999999999999999999999999", 86_400_000),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60_000), ("Sunday, 06-Nov-94 08:50:37 GMT", 60_000),
        ("Sun Nov  6 08:50:37 1994", 60_000), ("Sun, 06 Nov 2094 08:49:37 GMT", 86_400_000),
    ])
    func `seconds and dates are a delay of at most a day`(text: String, milliseconds: Int) throws {
        #expect(try delay(text) == milliseconds)
    }

    @Test(arguments: [
        "", "0", "-1", "+5", "1.5", "1e3", "soon", "١", "5 s", "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sat, 05 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 CET", "Sun, 32 Nov 2094 08:49:37 GMT",
        "Sun, 06 Nov 2094 24:49:37 GMT", "Sun, 06 Nov 2094 08:49 GMT", "Sun, 06 Foo 2094 08:49:37 GMT",
        "Sun, 06 Nov 999999999999999999999 08:49:37 GMT", ",,,,,", "2094-11-06T08:49:37Z",
        "Sun, 06 Nov 2094 08:49:37 GMT Sun, 06 Nov 2094 08:49:37 GMT",
    ])
    func `what is over or no time is ignored`(text: String) throws { #expect(try delay(text) == nil) }

    @Test func `a date is measured by the server's own clock`() throws {
        #expect(try delay("Fri, 31 Dec 1999 23:59:59 GMT", date: "Fri, 31 Dec 1999 23:59:49 GMT") == 10_000)
        #expect(try delay("Sun, 06 Nov 1994 08:50:37 GMT", date: "nonsense") == 60_000)
    }

    @Test func `dates are counted over leap years and centuries`() {
        #expect(secondsSince1970(httpDate: "Thu, 01 Jan 1970 00:00:00 GMT") == 0)
        #expect(secondsSince1970(httpDate: "Tue, 29 Feb 2000 12:00:00 GMT") == 951_825_600)
        #expect(secondsSince1970(httpDate: "Wed, 01 Mar 2000 00:00:00 GMT") == 951_868_800)
        #expect(secondsSince1970(httpDate: "Mon, 01 Mar 2100 00:00:00 GMT") == 4_107_542_400)
        #expect(secondsSince1970(httpDate: "Wed, 31 Dec 1969 23:59:59 GMT") == nil)
    }
}
