import Glibc

/// A key in a file, as ZeroMQ's other libraries write theirs (pyzmq reads it with `zmq.auth.load_certificate`).
package struct KeyFile: Sendable {
    package var name: String
    /// nil: the scheduler's own.
    package var role: KeyRole?
    package var tenants: [String]
    /// Of a scheduler's public file there may be two: while its key is exchanged.
    package var publicKeys: [CurveKey]
    /// nil: the file for others.
    package var secretKey: SecretKey?

    package init(name: String, role: KeyRole?, tenants: [String], _ pair: KeyPair) {
        self.name = name
        self.role = role
        self.tenants = tenants
        publicKeys = [pair.publicKey]
        secretKey = pair.secretKey
    }

    package static let publicKeyLimit = 4
    private static let longestFile = 64 << 10

    // MARK: Text

    init(text: String) throws(KeyError) {
        name = ""
        tenants = []
        publicKeys = []
        for line in text.split(separator: "\n") {
            guard let sign = line.firstIndex(of: "="), line.first(where: { !$0.isWhitespace }) != "#" else { continue }
            let word = line[..<sign].trimmed
            var value = line[line.index(after: sign)...].trimmed
            if value.count > 1, let mark = value.first, mark == "\"" || mark == "'", value.last == mark {
                value = value.dropFirst().dropLast()
            }
            switch word {
            case "name": name = String(value)
            case "role":
                guard value != Self.schedulerRole else { continue }
                role = KeyRole(rawValue: String(value))
                guard role != nil else { throw KeyError("the role \(value.prefix(32)) is unknown") }
            case "tenant": tenants.append(String(value))
            case "public-key":
                guard let key = CurveKey(value) else { throw KeyError("its public-key is none: 40 characters of Z85") }
                publicKeys.append(key)
            case "secret-key":
                secretKey = SecretKey(value)
                guard secretKey != nil else { throw KeyError("its secret-key is none: 40 characters of Z85") }
            default: break
            }
        }
        guard (1...Self.publicKeyLimit).contains(publicKeys.count) else {
            throw KeyError("it has \(publicKeys.count) lines of public-key, it takes 1 to \(Self.publicKeyLimit)")
        }
    }

    func text(withSecret: Bool) -> String {
        var lines = [
            withSecret
                ? "# A secret key of Statex: nobody but its holder may read it." : "# A public key of Statex.",
            "metadata", "    name = \"\(name)\"", "    role = \"\(role?.rawValue ?? Self.schedulerRole)\"",
        ]
        lines += tenants.map { "    tenant = \"\($0)\"" } + ["curve"]
        lines += publicKeys.map { "    public-key = \"\($0)\"" }
        if withSecret, let secretKey { lines.append("    secret-key = \"\(secretKey.text)\"") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static let schedulerRole = "scheduler"

    // MARK: Files

    /// Writes NAME.key, which only we may read, and NAME.pub. Neither may be there.
    package func write(to directory: String) throws(KeyError) -> (key: String, public: String) {
        let (key, shared) = ("\(directory)/\(name).key", "\(directory)/\(name).pub")
        try makeKeyDirectory(directory)
        try writeDurably(text(withSecret: true), to: key, mode: 0o600, replaces: false)
        do throws(KeyError) {
            try writeDurably(text(withSecret: false), to: shared, mode: 0o644, replaces: false)
        } catch {
            unlink(key)
            throw error
        }
        return (key, shared)
    }

    /// A secret file must be its reader's alone.
    package static func readSecret(_ path: String) throws(KeyError) -> (file: KeyFile, pair: KeyPair) {
        let file = try read(path, isSecret: true)
        guard let secret = file.secretKey, let key = file.publicKeys.first else {
            throw KeyError("\(path): it has no secret-key; NAME.key has it, and NAME.pub is for others")
        }
        return (file, KeyPair(publicKey: key, secretKey: secret))
    }

    package static func readPublic(_ path: String) throws(KeyError) -> KeyFile {
        let file = try read(path, isSecret: false)
        guard file.secretKey == nil else {
            throw KeyError("\(path): it holds a secret-key; others are given NAME.pub, never NAME.key")
        }
        return file
    }

    private static func read(_ path: String, isSecret: Bool) throws(KeyError) -> KeyFile {
        let text = try readKeyText(path, limit: longestFile, isSecret: isSecret)
        do throws(KeyError) { return try KeyFile(text: text) } catch { throw KeyError("\(path): \(error)") }
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var rest = self
        while rest.first?.isWhitespace == true { rest.removeFirst() }
        while rest.last?.isWhitespace == true { rest.removeLast() }
        return rest
    }
}
