import StatexProtocol
import Testing

@testable import StatexProcesses

@Suite struct HandlerMessageFuzzTests {
    /// Whatever the bytes: an answer, and whoever passes is valid UTF-8 without NUL.
    @Test func mutatedTextsNeverCrashAndNeverSlipThrough() {
        var generator = SplitMix(state: 42)
        let seeds = [
            #"{"type":"result","id":"7","result":{"a":[1,2.5e3,"\u00e9\ud83d\ude00"],"b":{"c":null,"d":[true,false]}}}"#,
            #"{"type":"error","id":"7","class":"broken","message":"é😀 \" \\ ","retryable":false,"retry_after":1.5}"#,
        ].map { Array($0.utf8) }
        let interesting: [UInt8] = Array("{}[]\",:\\u0123eE+-.dDtfn \n".utf8) + [0, 0x7F, 0x80, 0xC0, 0xED, 0xF4, 0xFF]
        var passed = 0
        for round in 0..<200_000 {
            var bytes = seeds[round % seeds.count]
            for _ in 0...Int.random(in: 0..<4, using: &generator) {
                let at = Int.random(in: 0..<max(1, bytes.count), using: &generator)
                switch Int.random(in: 0..<5, using: &generator) {
                case 0 where !bytes.isEmpty: bytes[at] = interesting.randomElement(using: &generator) ?? 0
                case 1 where !bytes.isEmpty: bytes.remove(at: at)
                case 2: bytes.insert(interesting.randomElement(using: &generator) ?? 0, at: min(at, bytes.count))
                case 3: bytes = Array(bytes.prefix(at))
                default: bytes.insert(contentsOf: bytes.prefix(at), at: min(at, bytes.count))
                }
            }
            _ = try? HandlerMessage(line: bytes)
            guard (try? JSONObject(bytes)) != nil else { continue }
            passed += 1
            if bytes.contains(0) || String(validating: bytes, as: UTF8.self) == nil { Issue.record("\(bytes)") }
        }
        #expect(passed > 100)
    }
}

/// A small generator with a seed, so that a failure comes again.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
