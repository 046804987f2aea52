import Glibc

extension AllowList {
    private static let longestFile = 16 << 20

    /// - Parameter missing: what a file that is not there stands for; nil: an error.
    package static func read(_ path: String, missing: AllowList? = nil) throws(KeyError) -> AllowList {
        if let missing, access(path, F_OK) != 0, errno == ENOENT { return missing }
        let text = try readKeyText(path, limit: longestFile, isSecret: false)
        do throws(KeyError) { return try AllowList(reading: text) } catch { throw KeyError("\(path), \(error)") }
    }

    /// Changes the file: whole or not at all, and never two at once.
    package static func change<R>(
        _ path: String, _ body: (inout AllowList) throws(KeyError) -> R
    ) throws(KeyError) -> R {
        guard let slash = path.lastIndex(of: "/") else { throw KeyError("\(path): it takes an absolute path") }
        try makeKeyDirectory(String(path[..<slash]))
        let lock = open(path + ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
            throw KeyError("\(path).lock: \(String(cString: strerror(errno)))")
        }
        defer { close(lock) }
        var list = try read(path, missing: AllowList())
        let result = try body(&list)
        try writeDurably(list.text, to: path, mode: 0o600, replaces: true)
        return result
    }
}
