import StatexZeroMQ
import Testing

@testable import StatexKeys

/// What the passing of time does to the keys that are allowed; the clock is an argument.
@Suite struct KeysInForceTests {
    private static let day: Int64 = 86_400
    private static let start: Int64 = 1_800_000_000

    private func at(_ days: Int64) -> KeyEnd { KeyEnd(seconds: Self.start + days * Self.day) }

    private func entry(_ name: String, end: KeyEnd? = nil) throws -> AllowedKey {
        try AllowedKey(key: KeyPair.make().publicKey, role: .worker, tenants: .all, name: name, end: end)
    }

    private func list(_ entries: AllowedKey...) throws -> AllowList {
        var list = AllowList()
        for entry in entries { try list.allow(entry) }
        return list
    }

    @Test func `a key is allowed until its end, and not from then on`() throws {
        let (short, long, endless) = (try entry("a", end: at(1)), try entry("b", end: at(3)), try entry("c"))
        var keys = try KeysInForce(list(short, long, endless), at: at(0))
        #expect(keys.list.all == [short, long, endless])
        #expect(keys.passed(to: at(1).earlier(bySeconds: 1)).isEmpty)
        #expect(keys.list[short.key.text] == short)
        #expect(keys.passed(to: at(1)) == [short])
        #expect(keys.list.all == [long, endless] && keys.list[short.key.text] == nil)
        #expect(keys.passed(to: at(1)).isEmpty)
        #expect(keys.passed(to: at(400)) == [long])
        #expect(keys.list.all == [endless])
    }

    @Test func `what is over when the list is read is not let in, and is no change`() throws {
        let (over, good) = (try entry("a", end: at(-1)), try entry("b"))
        var keys = try KeysInForce(list(over, good), at: at(0))
        #expect(keys.list.all == [good])
        #expect(try keys.replace(with: list(good), at: at(0)).isEmpty)
        #expect(try keys.replace(with: list(over, good), at: at(0)).isEmpty)
        #expect(keys.list.all == [good])
    }

    @Test func `a key that ended and is given more time is let in again`() throws {
        var late = try entry("a", end: at(1))
        var keys = try KeysInForce(list(late), at: at(0))
        #expect(keys.passed(to: at(2)) == [late])
        late.end = at(9)
        #expect(try keys.replace(with: list(late), at: at(2)).hasPrefix("allowed a (worker"))
        #expect(keys.list.all == [late])
    }

    @Test func `an end is announced a week before, once, and again if it was moved`() throws {
        var key = try entry("a", end: at(30))
        var keys = try KeysInForce(list(key, entry("b"), entry("c", end: at(90))), at: at(0))
        #expect(keys.ending(at: at(23).earlier(bySeconds: 1)).isEmpty)
        #expect(keys.ending(at: at(23)) == [key])
        #expect(keys.ending(at: at(24)).isEmpty)
        key.end = at(31)
        #expect(try keys.replace(with: list(key), at: at(24)).hasPrefix("changed a"))
        #expect(keys.ending(at: at(24)) == [key])
        #expect(keys.ending(at: at(25)).isEmpty)
    }
}
