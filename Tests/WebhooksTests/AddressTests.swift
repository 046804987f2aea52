import Testing

@testable import StatexWebhooks

struct AddressTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.0"), ("127.0.0.1", "127.0.0.1", "127.0.0.2"),
        ("0.0.0.0/0", "9.9.9.9", "::1"),
        ("fd00::/8", "fdff::1", "fe00::1"), ("2000::/3", "3fff::1", "4000::"),
        ("10.0.0.0/9", "10.127.0.0", "10.128.0.0"),
        ("::/0", "::1", "1.1.1.1"), ("192.0.2.255/32", "192.0.2.255", "192.0.2.254"),
    ])
    func `a block has what begins with its bits`(block: String, inside: String, outside: String) throws {
        let block = try #require(AddressBlock(block))
        #expect(block.contains(try #require(IPAddress(inside))))
        #expect(!block.contains(try #require(IPAddress(outside))))
    }

    @Test(arguments: [
        "", "/", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08x", "10.1.0.0/8",
        "fd00::1/8", "10/8", "localhost", "10.0.0.0/8/8", "0x0a.0.0.0/8", "10.0.0.0/1 ",
    ])
    func `what is no block is refused`(text: String) { #expect(AddressBlock(text) == nil) }

    @Test(arguments: [
        "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.215.14", "100.63.255.255", "100.128.0.0",
        "126.1.1.1",
        "128.0.0.1", "172.15.255.255", "172.32.0.0", "192.167.1.1", "192.169.1.1", "198.17.255.255", "198.20.0.0",
        "223.255.255.255", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2001:200::1", "2003::1",
        "3ffe::1",
    ])
    func `what the Internet reaches may be reached`(text: String) throws {
        #expect(AddressRule().refusal(of: try #require(IPAddress(text))) == nil)
    }

    @Test func `an allowed block is allowed in the form of IPv6 too, and nothing beside it`() throws {
        let rule = AddressRule(allowed: [try #require(AddressBlock("10.1.0.0/16"))])
        for text in ["10.1.2.3", "::ffff:10.1.2.3"] {
            #expect(rule.refusal(of: try #require(IPAddress(text))) == nil, "\(text)")
        }
        for text in ["10.2.0.1", "::ffff:10.2.0.1", "64:ff9b::10.1.2.3", "2002:a01:203::", "127.0.0.1", "::1"] {
            #expect(rule.refusal(of: try #require(IPAddress(text))) != nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("https://h.example.org", "h.example.org", 443, "/"),
        ("http://h.example.org:8080/a?b=c", "h.example.org", 8080, "/a?b=c"),
        ("https://H.Example.ORG/A", "h.example.org", 443, "/A"),
        ("https://h.example.org?x", "h.example.org", 443, "/?x"),
        ("https://[2606:4700::1111]:444/", "2606:4700::1111", 444, "/"),
        ("http://1.1.1.1/%2e%2e/", "1.1.1.1", 80, "/%2e%2e/"),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443, "/"),
        ("https://h/a@b:c//d", "h", 443, "/a@b:c//d"),
    ])
    func `a good URL is taken apart`(text: String, host: String, port: Int, target: String) throws {
        let url = try WebhookURL(text)
        #expect(url.host == host && url.port == UInt16(port) && url.target == target)
        #expect(url.isSecure == text.hasPrefix("https") && url.text == text)
    }
}
