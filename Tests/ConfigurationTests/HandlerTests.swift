import Glibc
import Testing

@testable import StatexConfiguration

private let both = """
    handlers:
      - kind: translate
        process:
          command: [python3, translate.py]
          environment: {LANG: C.UTF-8, TOKEN: hunter2}
          read: [/srv/models]
          memory: 1 GiB
          isolation: strict
      - kind: chat
        http:
          url: http://127.0.0.1:8000
          key_environment: CHAT_KEY
          timeout_seconds: 5
    """

private func audio(_ fields: String) -> String {
    "handlers: [{kind: a, http: {url: 'http://a', path: /v1/audio/transcriptions, fields: \(fields)}}]"
}

struct HandlerTests {
    @Test func `reads the options that go with each recording`() throws {
        let text = audio("{model: whisper-1, 'timestamp_granularities[]': segment}")
        let handlers = try load(text).configuration.handlers
        guard case .http(let http) = handlers.first?.runner else {
            Issue.record("\(handlers)")
            return
        }
        #expect(http.fields == ["model": "whisper-1", "timestamp_granularities[]": "segment"])
    }

    @Test func `reads process and http handlers`() throws {
        let handlers = try load(both).configuration.handlers
        #expect(handlers.map(\.kind) == ["translate", "chat"])
        guard case .process(let process) = handlers[0].runner, case .http(let http) = handlers[1].runner else {
            Issue.record("\(handlers)")
            return
        }
        #expect(process.command == ["python3", "translate.py"])
        #expect(process.environment == ["LANG": "C.UTF-8", "TOKEN": "hunter2"])
        #expect(process.read == ["/srv/models"])
        #expect(process.memory == 1 << 30)
        #expect(process.timeLimit == .seconds(300))
        #expect(process.isolation == .strict)
        #expect(http.url == "http://127.0.0.1:8000")
        #expect(http.path == "/v1/chat/completions")
        #expect(http.key == .environment("CHAT_KEY"))
        #expect(http.timeout == .seconds(5))
    }

    @Test func `shows each of their keys, and no value of their environment`() throws {
        let entries = try load(both).entries
        #expect(entries.first { $0.key == "handlers[0].process.memory" }?.value == "1 GiB")
        #expect(entries.first { $0.key == "handlers[0].process.environment" }?.value == "LANG=*** TOKEN=***")
        #expect(entries.contains { $0.key == "handlers[1].http.url" })
        #expect(!"\(entries)".contains("hunter2"))
    }

    @Test(arguments: [
        ("handlers: 1", "must be a list"), ("handlers: [1]", "must be keys and values"),
        ("handlers: [{}]", "kind: must be given"),
        ("handlers: [{kind: a}]", "one of the groups"),
        ("handlers: [{kind: a, process: {command: [x]}, http: {url: 'http://a'}}]", "one of the groups"),
        ("handlers: [{kind: 'a b', process: {command: [x]}}]", "handlers[0].kind"),
        ("handlers: [{kind: '\(String(repeating: "k", count: 65))', process: {command: [x]}}]", "1 to 64"),
        ("handlers: [{kind: a, process: {}}]", "command: must be given"),
        ("handlers: [{kind: a, process: {command: []}}]", "command"),
        ("handlers: [{kind: a, process: {command: [[x]]}}]", "must be one text"),
        ("handlers: [{kind: a, process: {command: [x], memry: 1}}]", "did you mean `memory`?"),
        ("handlers: [{kind: a, proces: {command: [x]}}]", "did you mean `process`?"),
        ("handlers: [{kind: a, process: {command: [x], environment: [x]}}]", "must be names and values"),
        ("handlers: [{kind: a, process: {command: [x], environment: {'a=b': x}}}]", "`LANG: C.UTF-8`"),
        ("handlers: [{kind: a, process: {command: [x]}}, {kind: a, process: {command: [x]}}]", "has a handler already"),
        ("handlers: [{kind: a, http: {}}]", "url: must be given"),
        ("handlers: [{kind: a, http: {url: 'ftp://a'}}]", "http://"),
        ("handlers: [{kind: a, http: {url: 'http://u:hunter2@a'}}]", "key_file"),
        ("handlers: [{kind: a, http: {url: 'http://a/v1'}}]", "the path has its own key"),
        ("handlers: [{kind: a, http: {url: 'http://a', path: 'v1?x=1'}}]", "http.path"),
        ("handlers: [{kind: a, http: {url: 'http://a', key_file: a, key_environment: B}}]", "give one of them"),
        ("handlers: [{kind: a, http: {url: 'http://a', fields: {model: x}}}]", "http.fields"),
        (audio("{stream: 'true'}"), "`model: whisper-1`"), (audio("{file: x}"), "`model: whisper-1`"),
        (audio("{'a\"b': x}"), "`model: whisper-1`"), (audio("[model]"), "`model: whisper-1`"),
    ])
    func `a wrong handler is refused with its place`(text: String, reason: String) throws {
        let found = try problems(text)
        #expect(found.contains { $0.contains(reason) }, "\(found)")
        #expect(found.allSatisfy { $0.hasPrefix("handlers") && !$0.contains("hunter2") }, "\(found)")
    }

    @Test func `a key is read from its file or variable, and must be one printable word`() throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("sk-123\n", to: "key")
        #expect(try KeySource.file(file).read(environment: [:]) == "sk-123")
        #expect(try KeySource.environment("K").read(environment: ["K": "sk-4"]) == "sk-4")
        for bad in ["", " \n", "a b", "a\r\nHost: evil", "ä", "a\u{0}b", String(repeating: "x", count: 9000)] {
            let error = #expect(throws: ConfigurationError.self) {
                try KeySource.environment("K").read(environment: ["K": bad])
            }
            #expect(error?.description.contains("key_environment K") == true)
        }
        #expect(throws: ConfigurationError.self) { try KeySource.environment("K").read(environment: [:]) }
        #expect(throws: ConfigurationError.self) { try KeySource.file(scratch.path + "/none").read(environment: [:]) }
        try #require(chmod(file, 0o644) == 0)
        let error = #expect(throws: ConfigurationError.self) { try KeySource.file(file).read(environment: [:]) }
        #expect(error?.description.contains("key_file: \(file): others may read this secret") == true)
    }
}
