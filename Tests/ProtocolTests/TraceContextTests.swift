import StatexProtocol
import Testing

@Suite struct TraceContextTests {
    private static let right = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    @Test func `a right one is read and written as it was`() throws {
        let trace = try #require(TraceContext(Self.right))
        #expect(trace.traceID == "0af7651916cd43dd8448eb211c80319c" && trace.spanID == "b7ad6b7169203331")
        #expect(trace.isSampled && "\(trace)" == Self.right)
        #expect(TraceContext(String(Self.right.dropLast()) + "0")?.isSampled == false)
    }

    @Test(arguments: [
        "", "00", right + " ", " " + right, right + "-", right + "-00", right.uppercased(),
        right.replacing("00-", with: "ff-"), right.replacing("00-", with: "0-"), right.replacing("00-", with: "0g-"),
        right.replacing("-b7", with: "_b7"), right.replacing("b7", with: "b"), right.replacing("-01", with: "-0x"),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        right.replacing("0af7", with: "0aé"), right.replacing("0af7", with: "+af7"), "01-" + right,
        right.replacing("00-", with: "01-") + "x",
    ]) func `what is not right is none`(text: String) { #expect(TraceContext(text) == nil) }

    @Test(arguments: [
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", right.replacing("00-", with: "01-") + "-more",
    ])
    func `a later version is read as far as it is known`(text: String) {
        #expect(TraceContext(text).map { "\($0)" } == Self.right)
    }

    @Test func `flags that are not known are not passed on`() {
        let trace = TraceContext(String(Self.right.dropLast(2)) + "ff")
        #expect(trace?.description.hasSuffix("-03") == true)
    }

    @Test func `a child is another span of the same trace`() throws {
        let trace = TraceContext.random()
        let child = trace.child()
        #expect(trace.isSampled && child.isSampled && child.traceID == trace.traceID && child.spanID != trace.spanID)
        #expect(TraceContext("\(child)") == child, "what we write is right")
    }
}
