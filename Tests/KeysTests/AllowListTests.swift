import Foundation
import StatexZeroMQ
import Testing

@testable import StatexKeys

@Suite struct AllowListTests {
    private func entry(
        _ name: String, _ role: KeyRole = .worker, _ tenants: TenantScope = .all, key: CurveKey? = nil,
        end: KeyEnd? = nil
    ) throws -> AllowedKey {
        try AllowedKey(key: key ?? KeyPair.make().publicKey, role: role, tenants: tenants, name: name, end: end)
    }

    private func reason(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return ""
    }

    @Test func `a list reads as it was written, whatever tenants are called`() throws {
        var list = AllowList()
        try list.allow(entry("w-1"))
        try list.allow(entry("alice", .client, .only(["acme", "a b", "x,y", "100%", "*", "# ü\n"])))
        try list.allow(entry("portal", .client))
        try list.allow(entry("gate", .gateway))
        try list.allow(entry("ops", .operator, end: KeyEnd(reading: "2027-01-01")))
        #expect(try AllowList(reading: list.text) == list)
        #expect(list.text.split(separator: "\n").count == 6)
    }

    @Test func `no key begins with the sign of a comment`() {
        #expect(CurveKey("#" + String(repeating: "0", count: 39)) == nil)
        #expect(CurveKey("%nSc0" + String(repeating: "0", count: 35)) != nil)
        #expect(CurveKey("%nSc1" + String(repeating: "0", count: 35)) == nil)
    }

    @Test func `a name has two keys while one is exchanged, with the same rights, and no third`() throws {
        var list = AllowList()
        try list.allow(entry("w"))
        try list.allow(entry("w"))
        #expect(reason { try list.allow(entry("w")) }.contains("has 2 keys already; revoke the older one first"))
        #expect(reason { try list.allow(entry("w", .gateway)) }.contains("other rights"))
        let first = try #require(list.all.first)
        #expect(list.revoke(first.key.text) == [first])
        #expect(list.all.count == 1 && list[first.key.text] == nil && list.contains(name: "w"))
        try list.allow(entry("w"))
        #expect(list.revoke("w").count == 2)
        #expect(list.all.isEmpty && list.revoke("w").isEmpty)
    }

    @Test func `a key is one holder's`() throws {
        var list = AllowList()
        let key = try KeyPair.make().publicKey
        try list.allow(entry("w", key: key))
        #expect(reason { try list.allow(entry("v", key: key)) }.contains("as that of w"))
    }

    @Test func `a client's key is for tenants, others' are for all`() {
        #expect(reason { _ = try entry("a", .client, .only([])) }.contains("is for tenants"))
        #expect(reason { _ = try entry("a", .client, .only([""])) }.contains("1 to 128 bytes"))
        #expect(reason { _ = try entry("a", .worker, .only(["acme"])) }.contains("leave --tenant out"))
        #expect(reason { _ = try entry("a", .operator, .only(["acme"])) }.contains("leave --tenant out"))
    }

    @Test(arguments: ["", ".hidden", "-flag", "a b", "a/b", "../a", "a\n", String(repeating: "a", count: 65)])
    func `a name that is none of a file or a line is refused`(name: String) {
        #expect(reason { _ = try entry(name) }.contains("a key's name takes"))
    }

    @Test func `a line that is wrong is named, and nothing of its list is taken`() throws {
        let key = try KeyPair.make().publicKey.text
        for (line, why) in [
            ("\(key) worker *", "four words"),
            ("\(key) worker * w 2027-01-01 x", "four words"), ("\(key) worker * w x", "no end of a key"),
            ("\(key) boss * w", "the role is one of"), ("nokey worker * w", "is no key"),
            ("\(key.dropLast()) worker * w", "is no key"), ("\(key) client %zz w", "no name of a tenant"),
            ("\(key) client acme, w", "1 to 128 bytes"), ("\(key) worker acme w", "leave --tenant out"),
            ("\(key) worker * ../w", "a key's name takes"),
        ] {
            let said = reason { _ = try AllowList(reading: "# list\n\n\(line)\n") }
            #expect(said.contains("line 3: ") && said.contains(why), "\(line): \(said)")
        }
    }

    @Test func `a key that is there is given another end, and nothing else by that`() throws {
        var list = AllowList()
        let (first, second) = (try KeyEnd(reading: "2027-01-01"), try KeyEnd(reading: "2027-02-01"))
        let key = try KeyPair.make().publicKey
        try list.allow(entry("w", key: key, end: second))
        let before = list
        try list.allow(entry("w", key: key, end: first))
        #expect(list.all.count == 1 && list[key.text]?.end == first && list.firstEnd == first)
        #expect(list.changes(since: before).hasPrefix("changed w (worker, key "))
        #expect(list.changes(since: before).hasSuffix("…, until 2027-01-01T00:00:00Z)"))
        #expect(reason { try list.allow(entry("w", key: key, end: first)) }.contains("is there already"))
        #expect(reason { try list.allow(entry("w", .gateway, key: key)) }.contains("is there already"))
        try list.allow(entry("w", key: key))
        #expect(list[key.text]?.end == nil && list.firstEnd == nil)
    }

    @Test(arguments: [
        ("2027-01-01", 1_798_761_600), ("2028-02-29", 1_835_395_200), ("2027-01-01T12:00:00Z", 1_798_804_800),
    ])
    func `an end is a day's beginning or a moment, and is written as one`(text: String, seconds: Int64) throws {
        let end = try KeyEnd(reading: text)
        #expect(end.seconds == seconds)
        #expect(try KeyEnd(reading: end.description) == end)
    }

    @Test(arguments: [
        "", "never", "2027", "2027-02-29", "2027-13-01", "2027-01-01T25:00:00Z", "2027-01-01T12:00:00", "1798761600",
        "2027-01-01T12:00:00+01:00", "2027-1-1", "-027-01-01", "2027-01-01 ", "٢٠٢٧-٠١-٠١",
    ])
    func `what is no end is refused`(text: String) {
        #expect(throws: KeyError.self) { try KeyEnd(reading: text) }
    }

    @Test func `what changed is said for the audit trail, without the whole key`() throws {
        var before = AllowList()
        let old = try entry("w")
        try before.allow(old)
        var after = before
        _ = after.revoke("w")
        let new = try entry("alice", .client, .only(["acme"]))
        try after.allow(new)
        let changes = after.changes(since: before)
        #expect(changes.contains("allowed alice (client of acme, key ") && changes.contains("revoked w (worker"))
        #expect(!changes.contains(new.key.text))
        #expect(before.changes(since: before).isEmpty)
    }

    @Test func `garbage never ends the reader`() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let bytes = (0..<Int.random(in: 0...200)).map { _ in UInt8.random(in: 0...255, using: &generator) }
            _ = try? AllowList(reading: String(decoding: bytes, as: UTF8.self))
            _ = try? KeyFile(text: String(decoding: bytes, as: UTF8.self))
        }
    }
}
