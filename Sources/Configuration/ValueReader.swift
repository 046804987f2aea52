/// Takes values by key from the sources, the strongest first, and keeps account: what was taken and
/// where it came from, what is wrong, what nobody asked for.
struct ValueReader {
    /// One key, as `statex config show` prints it.
    struct Entry: Sendable, Equatable {
        let key: String
        let value: String?
        let source: Source
    }

    private(set) var entries: [Entry] = []
    private(set) var problems: [String] = []

    /// Stands before the keys of a nested part, such as `handlers[0].`.
    private let prefix: String
    private let file: [FileEntry]
    private let filePath: String
    private let environment: [String: String]
    private let flags: [String: Flag]
    private let directory: String
    private var known: [String] = []

    /// A flag that was given: what it is called on the command line, and its text.
    struct Flag: Sendable, Equatable {
        let name: String
        let text: String
    }

    init(file: [FileEntry], filePath: String, environment: [String: String], flags: [String: Flag], directory: String) {
        self.init(
            prefix: "", file: file, filePath: filePath, environment: environment, flags: flags, directory: directory)
    }

    private init(
        prefix: String, file: [FileEntry], filePath: String, environment: [String: String], flags: [String: Flag],
        directory: String
    ) {
        self.prefix = prefix
        self.file = file
        self.filePath = filePath
        self.environment = environment
        self.flags = flags
        self.directory = directory
    }

    static let environmentPrefix = "STATEX_"

    static func variable(of key: String) -> String { environmentPrefix + key.uppercased() }

    mutating func take<Value>(_ key: String, default standard: Value, _ format: ValueFormat<Value>) -> Value {
        guard let (value, source) = find(key, format) else {
            entries.append(Entry(key: prefix + key, value: format.show(standard), source: .standard))
            return standard
        }
        entries.append(Entry(key: prefix + key, value: format.show(value), source: source))
        return value
    }

    mutating func take<Value>(_ key: String, _ format: ValueFormat<Value>) -> Value? {
        let found = find(key, format)
        entries.append(
            Entry(key: prefix + key, value: found.map { format.show($0.value) }, source: found?.source ?? .standard))
        return found?.value
    }

    /// A key that must be there. `empty` stands in for it while the other problems are gathered.
    mutating func require<Value>(_ key: String, empty: Value, _ format: ValueFormat<Value>) -> Value {
        let before = problems.count
        if let value = take(key, format) { return value }
        if problems.count == before { problems.append("\(prefix)\(key): must be given") }
        return empty
    }

    /// A map of texts, from the file only. Its values may be secrets: they are not shown.
    mutating func takeMap(_ key: String, names: ValueFormat<String>, like example: String) -> [String: String] {
        known.append(key)
        guard let entry = file.first(where: { $0.name == key }) else {
            entries.append(Entry(key: prefix + key, value: "", source: .standard))
            return [:]
        }
        let source = Source.file(filePath, line: entry.line)
        var values: [String: String] = [:]
        switch entry.value {
        case .nothing: break
        case .map(let pairs, _):
            for pair in pairs {
                guard case .text(let text, _) = pair.value,
                    (try? names.parse(.text(pair.name), "")) != nil,
                    (try? ValueFormat.text.parse(.text(text), "")) != nil
                else {
                    problems.append(
                        "\(prefix)\(key).\(pair.name.shown) (\(filePath):\(pair.line)): must be a name and its text such as `\(example)`"
                    )
                    continue
                }
                values[pair.name] = text
            }
        case .text, .list:
            problems.append("\(prefix)\(key) (\(source)): must be names and values such as `\(example)`")
        }
        entries.append(
            Entry(
                key: prefix + key, value: values.keys.sorted().map { "\($0)=***" }.joined(separator: " "),
                source: source))
        return values
    }

    mutating func refuse(_ key: String, _ reason: String) {
        let source = entries.last { $0.key == prefix + key }?.source ?? .standard
        problems.append("\(prefix)\(key) (\(source)): \(reason)")
    }

    private mutating func find<Value>(_ key: String, _ format: ValueFormat<Value>) -> (value: Value, source: Source)? {
        known.append(key)
        guard let (raw, source) = raw(key) else { return nil }
        var base = directory
        if case .file(let path, _) = source, let slash = path.lastIndex(of: "/") { base = String(path[..<slash]) }
        do throws(FormatError) {
            return (try format.parse(raw, base), source)
        } catch {
            problems.append("\(prefix)\(key) (\(source)): \(error.reason)")
            return nil
        }
    }

    private mutating func raw(_ key: String) -> (RawValue, Source)? {
        if let flag = flags[key] { return (.text(flag.text), .flag(flag.name)) }
        let variable = Self.variable(of: key)
        // An empty variable is how a shell or a unit file says "not set".
        if let text = environment[variable], !text.isEmpty { return (.text(text), .environment(variable)) }
        guard let entry = file.first(where: { $0.name == key }) else { return nil }
        let source = Source.file(filePath, line: entry.line)
        switch entry.value {
        case .nothing: return nil
        case .text(let text, _): return (.text(text), source)
        case .list(let nodes, _):
            var texts: [String] = []
            for node in nodes {
                guard case .text(let text, _) = node else {
                    problems.append("\(prefix)\(key) (\(filePath):\(node.line)): an entry must be one text")
                    return nil
                }
                texts.append(text)
            }
            return (.list(texts), source)
        case .map:
            problems.append("\(prefix)\(key) (\(source)): must be a value, not a group of keys")
            return nil
        }
    }

    /// Keys of the file that nobody took. To be called last.
    mutating func refuseUnknownKeys() {
        for entry in file where !known.contains(entry.name) {
            let hint =
                nearMiss(entry.name, among: known).map { "; did you mean `\($0)`?" }
                ?? "; the known keys are in config/statex.yaml"
            problems.append("\(prefix)\(entry.name.unquotedShown) (\(filePath):\(entry.line)): unknown key\(hint)")
        }
        for (name, flag) in flags.sorted(by: { $0.key < $1.key }) where !known.contains(name) {
            let hint =
                nearMiss(name, among: known).map { "; did you mean `\($0)`?" }
                ?? "; the known keys are in config/statex.yaml"
            problems.append("\(name.unquotedShown) (flag \(flag.name)): unknown key\(hint)")
        }
    }

    /// Variables that begin with `STATEX_` and name no key: a near miss is refused, others (Kubernetes
    /// sets `STATEX_SERVICE_HOST` for a service called statex) are returned.
    mutating func unknownVariables() -> [String] {
        let names = known.map(Self.variable)
        var others: [String] = []
        for name in environment.keys.sorted()
        where name.hasPrefix(Self.environmentPrefix) && !names.contains(name) && !isOurs(name) {
            if let meant = nearMiss(
                String(name.dropFirst(Self.environmentPrefix.count)),
                among: names.map { String($0.dropFirst(Self.environmentPrefix.count)) })
            {
                problems.append("environment \(name): names no key; did you mean `\(Self.environmentPrefix)\(meant)`?")
            } else {
                others.append(name)
            }
        }
        return others
    }

    // MARK: Groups

    /// A group of keys, such as `limit: {running: 8}`, from the file only. One that is missing is read as
    /// an empty one.
    mutating func takeGroup<Value>(_ key: String, like example: String, _ read: (inout ValueReader) -> Value) -> Value {
        known.append(key)
        var entries: [FileEntry] = []
        if let entry = file.first(where: { $0.name == key }) {
            switch entry.value {
            case .nothing: break
            case .map(let found, _): entries = found
            case .text, .list:
                problems.append("\(prefix)\(key) (\(filePath):\(entry.line)): must be keys such as `\(example)`")
            }
        }
        var values = nested(entries, prefix: "\(prefix)\(key).")
        let value = read(&values)
        values.refuseUnknownKeys()
        absorb(values)
        return value
    }

    /// A map of groups by names that are the operator's, from the file only.
    mutating func takeGroups<Value>(
        _ key: String, names: ValueFormat<String>, like example: String,
        _ read: (_ name: String, inout ValueReader) -> Value
    ) -> [String: Value] {
        known.append(key)
        guard let entry = file.first(where: { $0.name == key }) else { return [:] }
        let groups: [FileEntry]
        switch entry.value {
        case .nothing: return [:]
        case .map(let found, _): groups = found
        case .text, .list:
            problems.append(
                "\(prefix)\(key) (\(filePath):\(entry.line)): must be names and their keys such as `\(example)`")
            return [:]
        }
        guard groups.count <= Self.groups else {
            problems.append(
                "\(prefix)\(key) (\(filePath):\(entry.line)): must have at most \(Self.groups) entries, not \(groups.count)"
            )
            return [:]
        }
        var values: [String: Value] = [:]
        for group in groups {
            let place = "\(prefix)\(key).\(group.name.unquotedShown)"
            do throws(FormatError) { _ = try names.parse(.text(group.name), "") } catch {
                problems.append("\(place) (\(filePath):\(group.line)): the name \(error.reason)")
                continue
            }
            guard case .map(let entries, _) = group.value else {
                problems.append("\(place) (\(filePath):\(group.line)): must have keys, such as `\(example)`")
                continue
            }
            var inner = nested(entries, prefix: place + ".")
            values[group.name] = read(group.name, &inner)
            inner.refuseUnknownKeys()
            absorb(inner)
        }
        return values
    }

    /// What one file may name of kinds, tenants or schedules: each costs a look at every change.
    private static let groups = 10_000

    // MARK: Handlers

    mutating func takeHandlers() -> [HandlerConfiguration] {
        known.append("handlers")
        guard let entry = file.first(where: { $0.name == "handlers" }), entry.value.isThere else {
            entries.append(Entry(key: "handlers", value: "", source: .standard))
            return []
        }
        guard case .list(let nodes, let line) = entry.value else {
            problems.append("handlers (\(filePath):\(entry.line)): must be a list; each entry begins with `- kind: …`")
            return []
        }
        guard nodes.count <= 256 else {
            problems.append("handlers (\(filePath):\(line)): must have at most 256 entries, not \(nodes.count)")
            return []
        }
        var handlers: [HandlerConfiguration] = []
        // Their kinds stand before their own keys.
        let place = entries.count
        for (index, node) in nodes.enumerated() {
            guard let handler = takeHandler(node, at: "handlers[\(index)]") else { continue }
            if handlers.contains(where: { $0.kind == handler.kind }) {
                problems.append(
                    "handlers[\(index)].kind (\(filePath):\(node.line)): `\(handler.kind)` has a handler already; a kind has one"
                )
            }
            handlers.append(handler)
        }
        let kinds = handlers.map(\.kind).joined(separator: " ")
        entries.insert(Entry(key: "handlers", value: kinds, source: .file(filePath, line: entry.line)), at: place)
        return handlers
    }

    private mutating func takeHandler(_ node: FileNode, at place: String) -> HandlerConfiguration? {
        guard case .map(let entries, let line) = node else {
            problems.append("\(place) (\(filePath):\(node.line)): must be keys and values, beginning with `kind: …`")
            return nil
        }
        var values = nested(entries, prefix: "\(place).")
        defer { absorb(values) }
        let kind = values.require("kind", empty: "", .kind)
        values.known += ["process", "http"]
        values.refuseUnknownKeys()
        let parts = entries.filter { ["process", "http"].contains($0.name) }
        guard parts.count == 1, let part = parts.first, case .map(let settings, _) = part.value else {
            values.problems.append("\(place) (\(filePath):\(line)): must have one of the groups `process` and `http`")
            return nil
        }
        var inner = nested(settings, prefix: "\(place).\(part.name).")
        let runner: HandlerConfiguration.Runner =
            part.name == "process" ? .process(.init(from: &inner)) : .http(.init(from: &inner))
        inner.refuseUnknownKeys()
        values.absorb(inner)
        return HandlerConfiguration(kind: kind, runner: runner)
    }

    private func nested(_ entries: [FileEntry], prefix: String) -> ValueReader {
        ValueReader(
            prefix: prefix, file: entries, filePath: filePath, environment: [:], flags: [:], directory: directory)
    }

    private mutating func absorb(_ part: ValueReader) {
        entries += part.entries
        problems += part.problems
    }
}

/// Variables with our prefix that are not keys: the file's own, what `up` tells its children, and the settings of
/// the built-in handlers (docs/models.md), which are passed on to them.
private func isOurs(_ variable: String) -> Bool {
    ["STATEX_CONFIG", "STATEX_READY_FD", "STATEX_STACK", "STATEX_MODEL_SUMS"].contains(variable)
        || ["STATEX_AUDIO_", "STATEX_FILE_", "STATEX_OCR_", "STATEX_TEXT_"].contains { variable.hasPrefix($0) }
}

extension String {
    fileprivate var unquotedShown: String { String(shown.dropFirst().dropLast()) }
}
