/// The options of `submit` that may stand there thousands of times. They are taken out before the parser sees them:
/// its time grows with the square of their number (4,096 pairs took it 2.5 s).
struct RepeatedOptions {
    private var values: [String: [String]] = [:]

    /// In the order in which they were given.
    subscript(name: String) -> [String] { values[name] ?? [] }

    /// - Parameter names: of long options that take one value, without the dashes.
    /// - Returns: what is left for the parser, also what is wrong, so that the parser says it.
    mutating func take(_ names: Set<String>, from words: [String]) -> [String] {
        var rest: [String] = []
        var place = words.startIndex
        while place < words.endIndex {
            let word = words[place]
            if word == "--" { return rest + words[place...] }
            place += 1
            guard word.hasPrefix("--") else {
                rest.append(word)
                continue
            }
            let name = String(word.dropFirst(2).prefix { $0 != "=" })
            if names.contains(name), word.utf8.count > name.utf8.count + 2 {
                values[name, default: []].append(String(word.dropFirst(name.count + 3)))
            } else if names.contains(name), place < words.endIndex, !words[place].hasPrefix("-") {
                values[name, default: []].append(words[place])
                place += 1
            } else {
                rest.append(word)
            }
        }
        return rest
    }
}
