/// The value of a header field that has parameters: `form-data; name="a"`, `multipart/form-data; boundary=x`.
struct HeaderValue {
    // Taken apart scalar by scalar: in a character, a mark that combines would hide the quote in front of it.
    private typealias Text = Substring.UnicodeScalarView

    /// In lower case.
    let value: String
    /// By name, in lower case. One that stands there twice makes the value none.
    let parameters: [String: String]

    /// nil: it is none.
    init?(_ text: String) {
        var rest = Substring(text).unicodeScalars
        let value = Self.trimmed(Self.take(&rest) { $0 != ";" })
        let parts = value.split(separator: "/", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), parts.allSatisfy(Self.isToken) else { return nil }
        var parameters: [String: String] = [:]
        while let separator = rest.popFirst() {
            guard separator == ";" else { return nil }
            rest = rest.drop(while: Self.isSpace)
            // A semicolon too much.
            if rest.isEmpty || rest.first == ";" { continue }
            let name = Self.take(&rest) { $0 != "=" && $0 != ";" }
            guard Self.isToken(name), rest.popFirst() == "=", let value = Self.parameter(&rest),
                parameters.updateValue(value, forKey: String(name).lowercased()) == nil
            else { return nil }
            rest = rest.drop(while: Self.isSpace)
        }
        self.value = String(value).lowercased()
        self.parameters = parameters
    }

    static func isToken(_ text: some Collection<Unicode.Scalar>) -> Bool {
        !text.isEmpty
            && text.allSatisfy { scalar in
                switch scalar {
                case "a"..."z", "A"..."Z", "0"..."9": true
                case "!", "#", "$", "%", "&", "'", "*", "+", "-", ".", "^", "_", "`", "|", "~": true
                default: false
                }
            }
    }

    /// A token, or a text in quotes, in which `\"` and `\\` are one character. (Any other backslash is itself: what
    /// browsers of long ago sent is `C:\file`.)
    private static func parameter(_ rest: inout Text) -> String? {
        guard rest.first == "\"" else {
            let token = trimmed(take(&rest) { $0 != ";" })
            return isToken(token) ? String(token) : nil
        }
        rest.removeFirst()
        var value = String.UnicodeScalarView()
        while let scalar = rest.popFirst() {
            if scalar == "\"" { return String(value) }
            if scalar == "\\", let next = rest.first, next == "\"" || next == "\\" {
                rest.removeFirst()
                value.append(next)
            } else {
                value.append(scalar)
            }
        }
        return nil
    }

    private static func take(_ rest: inout Text, while holds: (Unicode.Scalar) -> Bool) -> Text {
        let taken = rest.prefix(while: holds)
        rest = rest[taken.endIndex...]
        return taken
    }

    private static func trimmed(_ text: Text) -> Text {
        let end = text.lastIndex { !isSpace($0) }.map(text.index(after:)) ?? text.startIndex
        return text[..<end].drop(while: isSpace)
    }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool { scalar == " " || scalar == "\t" }
}
