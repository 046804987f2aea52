/// How processes that run for long write what they say.
package enum LogFormat: String, Sendable, CaseIterable {
    /// For people: time, level, who, words.
    case text
    /// An object a line.
    case json
}
