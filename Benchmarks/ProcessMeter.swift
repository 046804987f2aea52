import Glibc

/// What processes used, as the kernel counts it in /proc.
package struct ProcessUse: Sendable {
    package var cpuSeconds = 0.0
    package var peakBytes = 0

    /// A process and its children, those that ended included.
    package static func ofTree(_ root: Int32) -> ProcessUse {
        var use = ProcessUse()
        var shared = 0
        for pid in [root] + children(of: root) {
            let one = of(pid)
            use.cpuSeconds += one.cpuSeconds
            use.peakBytes += one.anonymousBytes
            shared = max(shared, one.sharedBytes)
        }
        use.peakBytes += shared
        return use
    }

    /// One process alone, with its peak.
    package static func of(process pid: Int32) -> ProcessUse {
        ProcessUse(cpuSeconds: of(pid).cpuSeconds, peakBytes: statusBytes(pid, "VmHWM:"))
    }

    /// What a process has in memory now, without what it shares.
    static func residentBytes(_ pid: Int32) -> Int { statusBytes(pid, "RssAnon:") }

    /// User and system time of a process so far, finer than /proc says it; 0 if it is gone.
    static func cpuNanoseconds(_ pid: Int32) -> Int {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }

    /// Gone, or a zombie.
    static func hasEnded(_ pid: Int32) -> Bool {
        let state = text("/proc/\(pid)/stat").split(separator: ")").last?.split(separator: " ").first
        return state == nil || state == "Z" || state == "X"
    }

    private struct One {
        var cpuSeconds: Double
        var anonymousBytes: Int
        var sharedBytes: Int
    }

    private static func of(_ pid: Int32) -> One {
        // Fields 14 to 17 of stat: own and waited-for children's user and system ticks. The name may hold spaces.
        let stat = text("/proc/\(pid)/stat")
        let fields = stat.split(separator: ")").last?.split(separator: " ").map(String.init) ?? []
        let ticks = fields.count > 14 ? fields[11...14].compactMap { Double($0) }.reduce(0, +) : 0
        return One(
            cpuSeconds: ticks / Double(sysconf(Int32(_SC_CLK_TCK))), anonymousBytes: statusBytes(pid, "RssAnon:"),
            sharedBytes: statusBytes(pid, "RssShmem:"))
    }

    private static func children(of parent: Int32) -> [Int32] {
        text("/proc/\(parent)/task/\(parent)/children").split(separator: " ").compactMap { Int32($0) }
    }

    private static func statusBytes(_ pid: Int32, _ name: String) -> Int {
        for line in text("/proc/\(pid)/status").split(separator: "\n") where line.hasPrefix(name) {
            return (line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0)
                * 1_024
        }
        return 0
    }

    /// The first 64 KiB of a file; empty if it cannot be read.
    static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let length = read(descriptor, &buffer, buffer.count)
        return length > 0 ? String(decoding: buffer[..<length], as: UTF8.self) : ""
    }
}
