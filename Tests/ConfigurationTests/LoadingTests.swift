import Testing

@testable import StatexConfiguration

struct LoadingTests {
    @Test func `the environment is stronger than the file, and a flag stronger than both`() throws {
        let file = "workers: 2\nslots: 3\nattempts: 4\n"
        let loaded = try load(
            file, environment: ["STATEX_SLOTS": "5", "STATEX_ATTEMPTS": "6"], flags: ["attempts": "7"])
        #expect(loaded.configuration.workers == 2)
        #expect(loaded.configuration.slots == 5)
        #expect(loaded.configuration.retry.attempts == 7)
    }

    @Test func `says where each value came from`() throws {
        let loaded = try load("\n\nworkers: 2\n", environment: ["STATEX_SLOTS": "5"], flags: ["attempts": "7"])
        let path = try #require(loaded.file)
        func source(_ key: String) -> Source? { loaded.entries.first { $0.key == key }?.source }
        #expect(source("workers") == .file(path, line: 3))
        #expect(source("slots") == .environment("STATEX_SLOTS"))
        #expect(source("attempts") == .flag("--attempts"))
        #expect(source("lease_seconds") == .standard)
        #expect(source("workers")?.description == "\(path):3")
    }

    @Test func `an empty file, a value left empty and an empty variable mean the default`() throws {
        let standard = try load().configuration
        #expect(try load("workers:\nslots: ~\n").configuration == standard)
        #expect(try load(environment: ["STATEX_WORKERS": ""]).configuration == standard)
    }

    @Test func `an unknown key is refused with its line and the key that was meant`() throws {
        let found = try problems("workers: 1\nlease_second: 3\n")
        #expect(found.count == 1)
        #expect(found.first?.contains("lease_second (") == true)
        #expect(found.first?.contains(":2)") == true)
        #expect(found.first?.contains("did you mean `lease_seconds`?") == true)
        #expect(try problems("utterly_different: 3").first?.contains("did you mean") == false)
        #expect(try problems(flags: ["wrokers": "3"]).first?.contains("did you mean `workers`?") == true)
    }

    @Test func `a misspelt variable is refused, another with our prefix is only reported`() throws {
        #expect(
            try problems(environment: ["STATEX_LEASE_SECOND": "3"]).first?.contains(
                "did you mean `STATEX_LEASE_SECONDS`?") == true)
        let loaded = try load(environment: [
            "STATEX_SERVICE_HOST": "10.0.0.1", "STATEX_READY_FD": "3", "STATEX_OCR_LANGUAGES": "deu",
            "PATH": "/bin",
        ])
        #expect(loaded.ignoredVariables == ["STATEX_SERVICE_HOST"])
    }

    @Test func `all problems are told at once`() throws {
        #expect(try problems("workers: x\nslots: 0\nnonsense: 1\nlease_seconds: -1\n").count == 4)
    }

    @Test(arguments: [
        ("workers: 1025", "workers", "from 0 to 1024"), ("workers: -1", "workers", "from 0 to 1024"),
        ("slots: 1.5", "slots", "from 1 to 1024"), ("slots: 99999999999999999999", "slots", "from 1 to 1024"),
        ("lease_seconds: 0.5", "lease_seconds", "from 1 to 3600"),
        ("lease_seconds: inf", "lease_seconds", "from 1 to 3600"),
        ("lease_seconds: nan", "lease_seconds", "from 1 to 3600"),
        ("lease_seconds: 1e3", "lease_seconds", "from 1 to 3600"),
        ("payload_cache: 1 KiB", "payload_cache", "from 1 MiB to 1 TiB"),
        ("payload_cache: 9223372036854775807 GiB", "payload_cache", "1 TiB"),
        ("payload_cache: 1 XiB", "payload_cache", "1 TiB"), ("payload_cache: -1", "payload_cache", "1 TiB"),
        ("isolation: total", "isolation", "one of basic, partial, strict"),
        ("database: host=db", "database", "postgresql://"),
        ("submit_endpoint: udp://x", "submit_endpoint", "ipc://"), ("workers: [1, 2]", "workers", "one value"),
        ("workers: {a: 1}", "workers", "not a group"), ("objects: []", "objects", "1 to 16 entries"),
        ("data_dir: \"a\\u0001b\"", "data_dir", "control"),
        ("data_dir: ''", "data_dir", "empty"),
        ("heartbeat_seconds: 4", "heartbeat_seconds", "a third of lease_seconds (10)"),
        ("disconnect_grace_seconds: 11", "disconnect_grace_seconds", "at most lease_seconds (10)"),
        ("retry_backoff_seconds: 301", "retry_backoff_seconds", "at most retry_backoff_max_seconds (300)"),
        ("idempotency_days: 30\nretention_days: 29", "retention_days", "at least idempotency_days (30)"),
        ("submit_endpoint: tcp://127.0.0.1:1\nworker_endpoint: tcp://127.0.0.1:1", "worker_endpoint", "must differ"),
    ])
    func `a value out of its range names the key, the place and the limit`(file: String, key: String, limit: String)
        throws
    {
        let found = try problems(file)
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("\(key) (") == true, "\(found)")
        #expect(found.first?.contains(limit) == true, "\(found)")
    }

    @Test(arguments: [
        ("65536", 65_536), ("1 MiB", 1 << 20), ("64MiB", 64 << 20), ("1 TiB", 1 << 40), ("2097152 B", 2 << 20),
    ])
    func `sizes have units`(text: String, bytes: Int) throws {
        if bytes < 1 << 20 {
            #expect(try problems("payload_cache: \(text)").count == 1)
        } else {
            #expect(try load("payload_cache: \(text)").configuration.payloadCache == bytes)
        }
    }

    @Test func `times have fractions`() throws {
        let loaded = try load("lease_seconds: 1.050")
        #expect(loaded.configuration.heartbeatInterval == .microseconds(262_500))
        #expect(loaded.configuration.leaseTime == .milliseconds(1050))
        #expect(loaded.entries.first { $0.key == "lease_seconds" }?.value == "1.05")
    }

    @Test func `what is derived from the data directory follows it`() throws {
        let configuration = try load("data_dir: /srv/x/").configuration
        #expect(configuration.dataDirectory == "/srv/x")
        #expect(configuration.submitEndpoint == "ipc:///srv/x/run/submit.sock")
        #expect(configuration.objectRoots == ["/srv/x/objects"])
    }

    @Test func `a relative path starts at the file's directory`() throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("models: m\nobjects: [a, /b]\n")
        let configuration = try LoadedConfiguration.load(ConfigurationSources(file: file, environment: [:]))
            .configuration
        #expect(configuration.modelsDirectory == scratch.path + "/m")
        #expect(configuration.objectRoots == [scratch.path + "/a", "/b"])
        #expect(try load(environment: ["STATEX_OBJECTS": "/a:/b"]).configuration.objectRoots == ["/a", "/b"])
    }

    @Test func `objects may lie in folders and in buckets, in any order`() throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("objects: [s3://bucket/a/b/, c]\n")
        let roots = ["s3://bucket/a/b", scratch.path + "/c"]
        #expect(
            try LoadedConfiguration.load(ConfigurationSources(file: file, environment: [:])).configuration.objectRoots
                == roots)
        let variables = ["STATEX_OBJECTS": "/a:s3://bucket/x:/b:s3://other"]
        #expect(
            try load(environment: variables).configuration.objectRoots
                == ["/a", "s3://bucket/x", "/b", "s3://other"])
    }

    @Test func `objects stay a day longer than history, unless it is said otherwise`() throws {
        #expect(try load().configuration.objectRetentionDays == 8)
        #expect(try load("retention_days: 30").configuration.objectRetentionDays == 31)
        #expect(try load("retention_days: 36500").configuration.objectRetentionDays == 36_500)
        #expect(try load("object_retention_days: 2").configuration.objectRetentionDays == 2)
    }

    @Test(arguments: [
        "- a", "just text", "a: [", "workers: 1\nworkers: 2", "a: &x 1", "a: *x", "[[[[[[[[[[[[1]]]]]]]]]]]]",
        "? [1]\n: 2", "\t: x", "--- 1\n--- 2",
        "a: &a [x]\nb: &b [*a, *a]\nc: &c [*b, *b]", "a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}}", "a: \u{7F}",
        "\u{FEFF}[1]",
    ])
    func `a file that is no configuration is refused with its name`(text: String) throws {
        let found = try problems(text)
        #expect(found.first?.contains("statex.yaml") == true, "\(found)")
    }

    @Test func `a file that is missing, too long, not UTF-8 or not a file is refused`() throws {
        let scratch = try ScratchFolder()
        for path in [
            scratch.path + "/missing", scratch.path, try scratch.write(String(repeating: "#", count: 300_000)),
            "a\u{0}b",
        ] {
            #expect(throws: ConfigurationError.self) {
                try LoadedConfiguration.load(ConfigurationSources(file: path, environment: [:]))
            }
        }
    }

    @Test func `a password in the database's URL is not shown`() throws {
        for url in [
            "postgresql://u:hunter2@h/d", "postgres://u:hun@ter2@h/d", "postgresql:///d?password=hunter2&host=/x",
            "postgresql:///d?host=/x&sslpassword=hunter2",
        ] {
            let loaded = try load(flags: ["database": url])
            let shown = try #require(loaded.entries.first { $0.key == "database" }?.value)
            #expect(!shown.contains("ter2"))
            #expect(shown.contains("***"))
            #expect(loaded.configuration.database == url)
        }
        #expect(try problems(flags: ["database": "mysql://u:hunter2@h/d"]).first?.contains("hunter2") == false)
    }

    @Test func `a key of one's own and the scheduler's go together`() throws {
        for key in ["peer_key", "server_public_key"] {
            #expect(throws: ConfigurationError.self) { try load("\(key): /a") }
        }
        #expect(try load("{peer_key: /a, server_public_key: b}").configuration.serverPublicKey?.hasSuffix("/b") == true)
    }
}
