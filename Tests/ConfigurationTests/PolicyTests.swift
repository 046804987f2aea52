import Testing

@testable import StatexConfiguration

struct PolicyTests {
    @Test func `a kind has the retry keys of all kinds unless it has its own`() throws {
        let loaded = try load(
            """
            attempts: 4
            retry_backoff_seconds: 2
            kinds:
              transcribe:
                limit: {running: 8, per_second: 0.5, burst: 3}
                attempts: 7
              text: {retry_backoff_max_seconds: 9}
            """)
        let kinds = loaded.configuration.kinds
        #expect(kinds["transcribe"]?.limit.running == 8)
        #expect(kinds["transcribe"]?.limit.perSecond == 0.5)
        #expect(kinds["transcribe"]?.limit.burst == 3)
        #expect(kinds["transcribe"]?.retry.attempts == 7)
        #expect(kinds["transcribe"]?.retry.backoff == .seconds(2))
        #expect(kinds["text"]?.limit.running == nil)
        #expect(kinds["text"]?.retry.attempts == 4)
        #expect(kinds["text"]?.retry.backoffMaximum == .seconds(9))
        func entry(_ key: String) -> LoadedConfiguration.Entry? { loaded.entries.first { $0.key == key } }
        #expect(entry("kinds.transcribe.limit.per_second")?.value == "0.5")
        #expect(entry("kinds.transcribe.limit.per_second")?.source == .file(loaded.file ?? "", line: 5))
        #expect(entry("kinds.text.attempts")?.value == "4")
    }

    @Test func `resources are amounts by name, of a machine and of what a kind needs`() throws {
        let loaded = try load(
            """
            resources: [gpu=2, memory_gib = 24]
            kinds: {transcribe: {needs: [gpu=1]}}
            """)
        #expect(loaded.configuration.resources.map(\.name) == ["gpu", "memory_gib"])
        #expect(loaded.configuration.resources.map(\.amount) == [2, 24])
        #expect(loaded.configuration.kinds["transcribe"]?.needs.map(\.amount) == [1])
        for wrong in ["gpu", "gpu=0", "gpu=-1", "=1", "gpu=1.5", "gpu=4294967296", "gpu=1, gpu=2"] {
            #expect(throws: ConfigurationError.self, "\(wrong)") { try load("resources: [\(wrong)]") }
        }
    }

    @Test func `tenants have weights and limits, and a star stands for the others`() throws {
        let tenants = try load("tenants: {acme: {weight: 2.5}, '*': {limit: {running: 0}}}").configuration.tenants
        #expect(tenants["acme"]?.weight == 2.5)
        #expect(tenants["acme"]?.limit.running == nil)
        #expect(tenants[Configuration.otherTenants]?.limit.running == 0)
        #expect(tenants[Configuration.otherTenants]?.weight == 1)
    }

    @Test(arguments: [
        ("kinds: {a: {limits: {running: 1}}}", "kinds.a.limits", "did you mean `limit`?"),
        ("kinds: {a: {limit: {runing: 1}}}", "kinds.a.limit.runing", "did you mean `running`?"),
        ("kinds: {a: {limit: {per_seconds: 1}}}", "kinds.a.limit.per_seconds", "did you mean `per_second`?"),
        ("kinds: {a: {atempts: 1}}", "kinds.a.atempts", "did you mean `attempts`?"),
        ("tenants: {a: {wieght: 1}}", "tenants.a.wieght", "did you mean `weight`?"),
        ("tenant: {a: {weight: 1}}", "tenant ", "did you mean `tenants`?"),
        ("kinds: {a: {limit: 8}}", "kinds.a.limit ", "must be keys such as"),
        ("kinds: {a: 8}", "kinds.a ", "must have keys"), ("kinds: [a]", "kinds ", "must be names and their keys"),
        ("tenants: 3", "tenants ", "must be names and their keys"),
        ("kinds: {a: {limit: {running: -1}}}", "kinds.a.limit.running", "from 0 to 1000000"),
        ("kinds: {a: {limit: {per_second: 0}}}", "kinds.a.limit.per_second", "from 0.001 to 1000000"),
        ("kinds: {a: {limit: {per_second: inf}}}", "kinds.a.limit.per_second", "from 0.001"),
        ("kinds: {a: {limit: {per_second: 1, burst: 0}}}", "kinds.a.limit.burst", "from 1"),
        ("kinds: {a: {limit: {burst: 5}}}", "kinds.a.limit.burst", "goes with per_second"),
        ("tenants: {a: {weight: 0}}", "tenants.a.weight", "from 0.001 to 1000000"),
        ("kinds: {a: {attempts: 101}}", "kinds.a.attempts", "from 1 to 100"),
        ("kinds: {a: {retry_budget: 101}}", "kinds.a.retry_budget", "from 0 to 100"),
        ("kinds: {a: {circuit_wait_seconds: 6}}", "kinds.a.circuit_wait_seconds", "circuit_wait_max_seconds (5)"),
        ("quarantine_wait_max_seconds: 9", "quarantine_wait_seconds", "quarantine_wait_max_seconds (9)"),
        ("kinds: {a: {retry_backoff_seconds: 400}}", "kinds.a.retry_backoff_seconds", "at most retry_backoff_max"),
        ("kinds: {a: {attempts: 1}, a: {attempts: 2}}", "a", "stands twice"),
        ("kinds: {'': {attempts: 1}}", "kinds.", "the name must be 1 to 128 bytes"),
    ])
    func `what is wrong is said with its place`(text: String, place: String, reason: String) throws {
        let found = try problems(text)
        #expect(found.count == 1)
        #expect(found.first?.contains(place) == true && found.first?.contains(reason) == true, "\(found)")
    }

    @Test func `changes are told by key, without secrets`() throws {
        let before = try load("workers: 2\nkinds: {a: {limit: {running: 1}}}\ndatabase: postgresql://u:old@h/d\n")
        let after = try load(
            "workers: 3\nkinds: {a: {limit: {running: 2}}}\ntenants: {t: {weight: 2}}\ndatabase: postgresql://u:new@g/d\n"
        )
        let changes = after.changes(since: before)
        #expect(changes.contains(ConfigurationChange(key: "workers", before: "2", after: "3")))
        #expect(changes.contains { $0.description == "kinds.a.limit.running: 1 to 2" })
        #expect(changes.contains { $0.description == "tenants.t.weight: not set to 2" })
        #expect(!changes.contains { $0.description.contains("old") || $0.description.contains("new") })
        #expect(changes.contains { $0.key == "database" })
        #expect(after.changes(since: after).isEmpty)
        #expect(
            ["workers", "database", "slots"].allSatisfy { !Configuration.isLive($0) }
                && changes.filter { Configuration.isLive($0.key) }.allSatisfy { $0.key.contains(".") })
    }
}
