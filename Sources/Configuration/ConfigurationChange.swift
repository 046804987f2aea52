/// One key whose value is another than before.
package struct ConfigurationChange: Sendable, Equatable, CustomStringConvertible {
    package let key: String
    /// As `statex config show` prints them: secrets are masked. nil: not set.
    package let before: String?
    package let after: String?

    package var description: String { "\(key): \(before ?? "not set") to \(after ?? "not set")" }
}

extension LoadedConfiguration {
    /// What is different from an earlier one, by key.
    package func changes(since earlier: LoadedConfiguration) -> [ConfigurationChange] {
        let before = Dictionary(earlier.entries.map { ($0.key, $0.value) }) { first, _ in first }
        let after = Dictionary(entries.map { ($0.key, $0.value) }) { first, _ in first }
        return Set(before.keys).union(after.keys).sorted().compactMap { key in
            let change = ConfigurationChange(key: key, before: before[key] ?? nil, after: after[key] ?? nil)
            return change.before == change.after ? nil : change
        }
    }
}
