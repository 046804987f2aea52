// What `/proc` says about processes that we did not start, or that a process started which is gone.

import Glibc

enum ProcessTable {
    /// Postgres processes, postmaster or not, that work on this data directory. Each has it as its
    /// working directory. A killed postmaster's backends are among them, and may still commit.
    static func postgresProcesses(on data: String) -> [pid_t] {
        let data = canonical(data)
        return processes { pid in
            link("/proc/\(pid)/cwd") == data && firstLine("/proc/\(pid)/comm") == "postgres"
        }
    }

    /// Processes that a `statex up` on this data directory started.
    static func members(ofStack name: String) -> [pid_t] {
        let entry = Array("STATEX_STACK=\(name)".utf8)
        return processes { pid in
            read("/proc/\(pid)/environ", limit: 256 << 10).split(separator: 0).contains { $0.elementsEqual(entry) }
        }
    }

    /// Signals what `find` finds until there is nothing left: `first` at once, SIGKILL after `patience`.
    /// - Parameter first: nil: leave them to end by themselves.
    /// - Returns: whether they are gone.
    static func end(_ first: Int32?, patience: Duration, _ find: () -> [pid_t]) -> Bool {
        let start = ContinuousClock.now
        var signalled: Set<pid_t> = []
        while true {
            let left = find()
            if left.isEmpty { return true }
            let passed = ContinuousClock.now - start
            // A process in an uninterruptible read ends when its disk answers, or never.
            if passed > patience + .seconds(30) { return false }
            for pid in left {
                if passed > patience {
                    kill(pid, SIGKILL)
                } else if let first, signalled.insert(pid).inserted {
                    kill(pid, first)
                }
            }
            // Not our children: there is nothing to wait on that covers those still to be found.
            usleep(10_000)
        }
    }

    /// The path with its links resolved, as `/proc` shows it.
    static func canonical(_ path: String) -> String {
        guard let resolved = realpath(path, nil) else { return path }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func processes(_ matches: (pid_t) -> Bool) -> [pid_t] {
        directoryNames("/proc").compactMap { pid_t($0) }.filter { $0 != getpid() && !isZombie($0) && matches($0) }
    }

    /// A process that has ended and is not reaped holds nothing; in a container without an init it
    /// may stay for ever.
    private static func isZombie(_ pid: pid_t) -> Bool {
        let text = String(decoding: read("/proc/\(pid)/stat", limit: 4096), as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return true }
        return text[end...].dropFirst(2).first == "Z"
    }

    private static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    private static func firstLine(_ path: String) -> String? {
        String(decoding: read(path, limit: 4096).prefix { $0 != 0x0A }, as: UTF8.self)
    }

    static func read(_ path: String, limit: Int) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return [] }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress?.advanced(by: count), limit - count)
            }
            if got <= 0 { break }
            count += got
        }
        return Array(bytes[..<count])
    }
}
