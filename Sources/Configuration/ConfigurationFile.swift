// The file: YAML, read by Yams into a small tree that remembers its lines.

import Yams

/// A part of the file, with the line that it stands on.
indirect enum FileNode {
    case text(String, line: Int)
    case list([FileNode], line: Int)
    case map([FileEntry], line: Int)
    /// A key without a value: as if it were not there.
    case nothing

    var isThere: Bool { if case .nothing = self { false } else { true } }

    var line: Int {
        switch self {
        case .text(_, let line), .list(_, let line), .map(_, let line): line
        case .nothing: 0
        }
    }
}

struct FileEntry {
    let name: String
    let line: Int
    let value: FileNode
}

enum ConfigurationFile {
    /// A configuration of a thousand lines has 50 KiB.
    static let maximumLength = 256 << 10

    static func read(_ path: String) throws(ConfigurationError) -> [FileEntry] {
        try parse(readSmallFile(path, limit: maximumLength, for: "configuration file"), path: path)
    }

    static func parse(_ text: String, path: String) throws(ConfigurationError) -> [FileEntry] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text, .default, .default, .utf8)
        } catch {
            throw ConfigurationError("\(path): \(describe(error))")
        }
        guard let root else { return [] }
        switch try convert(root, path: path, depth: 0) {
        case .map(let entries, _): return entries
        case .nothing: return []
        default: throw ConfigurationError("\(path):1: the file must be keys and values such as `workers: 2`")
        }
    }

    private static func convert(_ node: Node, path: String, depth: Int) throws(ConfigurationError) -> FileNode {
        let line = node.mark?.line ?? 0
        // The deepest that means anything is 5; the bound is for what repeats itself through anchors.
        guard depth <= 8 else { throw ConfigurationError("\(path):\(line): nested deeper than 8 levels") }
        guard node.anchor == nil else {
            throw ConfigurationError("\(path):\(line): anchors and aliases are not supported; write the value out")
        }
        switch node {
        case .scalar(let scalar):
            if scalar.style == .plain, ["", "~", "null"].contains(scalar.string) { return .nothing }
            return .text(scalar.string, line: line)
        case .sequence(let sequence):
            var nodes: [FileNode] = []
            for element in sequence { nodes.append(try convert(element, path: path, depth: depth + 1)) }
            return .list(nodes, line: line)
        case .mapping(let mapping):
            var entries: [FileEntry] = []
            for (key, value) in mapping {
                guard case .scalar(let scalar) = key else {
                    throw ConfigurationError("\(path):\(line): a key must be a name")
                }
                entries.append(
                    FileEntry(
                        name: scalar.string, line: key.mark?.line ?? line,
                        value: try convert(value, path: path, depth: depth + 1)))
            }
            return .map(entries, line: line)
        case .alias:
            throw ConfigurationError("\(path):\(line): anchors and aliases are not supported; write the value out")
        }
    }

    /// In one line, without the excerpt of the file that Yams adds: it could hold a secret.
    private static func describe(_ error: any Error) -> String {
        guard let error = error as? YamlError else { return "it cannot be read as YAML" }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            return "line \(mark.line), column \(mark.column): \(problem)"
        case .reader(let problem, _, _, _): return problem
        case .duplicatedKeysInMapping(let duplicates, let context):
            return "line \(context.mark.line): \(duplicates.map(\.shown).joined(separator: ", ")) stands twice"
        default: return "it cannot be read as YAML"
        }
    }
}
