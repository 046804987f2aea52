import StatexBenchmarks
import StatexProtocol
import Testing

@Suite("Streams of events as a benchmark hears them")
struct StreamScannerTests {
    private static let stream = """
        retry: 1000
        : statex

        event: request.state
        data: {"state":"open"}

        id: 7-9-1
        event: job.leased
        data: {"event":"job.leased"}

        id: 7-9-1
        : here


        """
    private static let blocks: [StreamScanner.Block] = [
        .beat, .event(name: "request.state", id: nil, data: ""),
        .event(
            name: "job.leased", id: EventSequence(incarnation: 7, batch: 9, index: 1),
            data: #"{"event":"job.leased"}"#), .beat,
    ]

    @Test("Blocks are the same in whatever pieces they come", arguments: [1, 2, 7, 1_000])
    func pieces(length: Int) {
        var scanner = StreamScanner { $0 != "request.state" }
        var blocks: [StreamScanner.Block] = []
        var rest = Array(Self.stream.utf8)[...]
        while !rest.isEmpty {
            scanner.scan(rest.prefix(length)) { blocks.append($0) }
            rest = rest.dropFirst(length)
        }
        #expect(blocks == Self.blocks)
    }
}
