import Testing

@testable import StatexConfiguration

@Suite struct ListenAddressTests {
    private func probes(_ text: String) throws(ConfigurationError) -> ListenAddress? {
        try LoadedConfiguration.load(
            ConfigurationSources(
                environment: ["STATEX_DATA_DIR": "/tmp/none", "STATEX_SCHEDULER_PROBES": text])
        ).configuration.schedulerProbes
    }

    @Test(arguments: [
        ("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:8421", "127.0.0.1:8421"),
        ("0.0.0.0:65535", "0.0.0.0:65535"), ("[::1]:8421", "[::1]:8421"), ("[::]:0", "[::]:0"),
    ]) func `an address is taken as it is said`(text: String, shown: String) throws {
        #expect(try probes(text)?.description == shown)
    }

    @Test func `off is nowhere`() throws {
        #expect(try probes("off") == nil)
    }

    @Test(arguments: [
        "on", "8421", "localhost:8421", "example.org:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:+1", "::1:8421", "[::1]", "[::g]:1", "1.2.3:80", "256.0.0.1:80", "127.0.0.1:80:90", " 8421 x",
    ]) func `anything else is refused with what to write`(text: String) {
        let error = #expect(throws: ConfigurationError.self) { try probes(text) }
        #expect(error?.description.contains("scheduler_probes") == true)
    }
}
