import Glibc
import StatexMetrics

/// What the kernel says of this process, under the names that Prometheus' own clients use.
package struct ProcessFigures: Sendable, Equatable {
    package var cpuSeconds: Double
    package var residentBytes: UInt64
    package var virtualBytes: UInt64
    package var threads: UInt64
    /// Seconds since 1970.
    package var startedAt: Double
    package var openFiles: Int
    package var mostOpenFiles: Double

    /// What it says now; nil where there is no `/proc`.
    package static func read() -> ProcessFigures? {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return ProcessFigures(
            stat: text("/proc/self/stat"), machine: text("/proc/stat"), ticks: Double(sysconf(Int32(_SC_CLK_TCK))),
            page: UInt64(max(sysconf(Int32(_SC_PAGESIZE)), 0)), openFiles: countOpenFiles(),
            mostOpenFiles: limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur))
    }

    /// - Parameters:
    ///   - stat: `/proc/self/stat`.
    ///   - machine: `/proc/stat`, which knows when the machine was started.
    ///   - ticks: a second has, in which the kernel counts.
    init?(stat: String, machine: String, ticks: Double, page: UInt64, openFiles: Int, mostOpenFiles: Double) {
        // The second field is the program's name in brackets, and may hold anything.
        guard let end = stat.lastIndex(of: ")"), ticks > 0 else { return nil }
        let fields = stat[stat.index(after: end)...].split(whereSeparator: \.isWhitespace)
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let threads = UInt64(fields[17]), let started = Double(fields[19]), let virtual = UInt64(fields[20]),
            let resident = UInt64(fields[21])
        else { return nil }
        let boot = machine.split(separator: "\n").first { $0.hasPrefix("btime ") }
        cpuSeconds = (user + system) / ticks
        residentBytes = resident.multipliedReportingOverflow(by: page).partialValue
        virtualBytes = virtual
        self.threads = threads
        startedAt = (boot.flatMap { Double($0.dropFirst(6)) } ?? 0) + started / ticks
        self.openFiles = openFiles
        self.mostOpenFiles = mostOpenFiles
    }

    package func write(to text: inout MetricsText) {
        text.counter("process_cpu_seconds_total", "Time of the processor that was used.", seconds: cpuSeconds)
        text.gauge("process_resident_memory_bytes", "Memory in use.", Double(residentBytes))
        text.gauge("process_virtual_memory_bytes", "Memory that is mapped.", Double(virtualBytes))
        text.gauge("process_threads", "Threads of the process.", Double(threads))
        text.gauge("process_start_time_seconds", "When the process was started, since 1970.", startedAt)
        text.gauge("process_open_fds", "Open files and sockets.", Double(openFiles))
        text.gauge("process_max_fds", "How many it may have open.", mostOpenFiles)
    }

    private static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            guard count > 0, bytes.count < 1 << 20 else { break }
            bytes += piece[..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func countOpenFiles() -> Int {
        guard let directory = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        // Less `.`, `..` and the directory itself.
        return max(count - 3, 0)
    }
}
