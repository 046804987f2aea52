// The machine: kernel, limits, clock, and the disk of the data directory.

import CLinux
import Glibc
import StatexObjects

extension Doctor {
    func examineKernel() -> [Finding] {
        var findings: [Finding] = []
        let root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let opened = clinux_open_beneath(root, "tmp", O_RDONLY | O_DIRECTORY, 0)
        if opened >= 0 { close(opened) }
        close(root)
        findings.append(
            opened == -ENOSYS || opened == -EPERM
                ? .error(
                    "openat2", "the kernel refuses it: \(String(cString: strerror(-opened)))",
                    "use Linux 5.6 or newer, or a container that allows it: objects cannot be opened safely")
                : .ok("openat2", "object paths are confined by the kernel"))
        let handle = clinux_pidfd_open(getpid())
        if handle >= 0 { close(handle) }
        if handle < 0 {
            findings.append(
                .error(
                    "pidfd", String(cString: strerror(-handle)),
                    "use Linux 5.3 or newer: `statex up` waits for its processes by it"))
        }
        return findings
    }

    func examineLimits() -> [Finding] {
        var files = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &files)
        // A socket each for workers and clients, a few for each handler.
        let wanted: UInt64 = 4096
        let fileText = "\(files.rlim_cur) open files (at most \(files.rlim_max))"
        var findings: [Finding] = [
            files.rlim_cur < wanted
                ? .warning(
                    "open files", fileText,
                    "each worker and client takes one: run `ulimit -n \(wanted)`, or LimitNOFILE in the unit")
                : .ok("open files", fileText)
        ]
        let memory = Self.meminfo()
        let needed = UInt64(configuration.payloadCache) + 512 << 20
        if let available = memory["MemAvailable"] {
            let text = "\(available >> 20) MiB available"
            findings.append(
                available < needed
                    ? .warning(
                        "memory", text,
                        "payload cache, Postgres and scheduler want about \(needed >> 20) MiB: lower payload_cache, or add memory"
                    ) : .ok("memory", text))
        }
        if memory["SwapTotal"] == 0, memory["MemTotal"] ?? 0 < 2 << 30 {
            findings.append(
                .warning(
                    "swap", "less than 2 GiB of memory and no swap",
                    "a large handler may end another process; limit `memory` of the handlers"))
        }
        return findings
    }

    /// Bytes by name.
    private static func meminfo() -> [String: UInt64] {
        var values: [String: UInt64] = [:]
        for line in String(decoding: ProcessTable.read("/proc/meminfo", limit: 64 << 10), as: UTF8.self).split(
            separator: "\n")
        {
            let parts = line.split(whereSeparator: { $0 == ":" || $0 == " " })
            if parts.count >= 2, let kibibytes = UInt64(parts[1]) { values[String(parts[0])] = kibibytes << 10 }
        }
        return values
    }

    /// Leases run on a clock that never steps; only times for people, and `run_at`, are the wall's.
    func examineClock() -> [Finding] {
        let now = time(nil)
        // 2025: a machine without a battery starts in 1970, and job ids begin with the hour.
        if now < 1_735_689_600 {
            return [
                .error(
                    "clock", "the wall clock says a time before 2025", "set the clock; ids of jobs begin with the hour")
            ]
        }
        guard clinux_clock_is_synchronised() != 0 else {
            return [
                .warning(
                    "clock", "nothing synchronises the wall clock",
                    "run chrony or systemd-timesyncd: times in the journal and `run_at` are the wall's")
            ]
        }
        return [.ok("clock", "synchronised")]
    }

    func examineDataDirectory() -> [Finding] {
        let directory = configuration.dataDirectory
        guard access(directory, F_OK) == 0 else {
            return [.ok("data_dir", "\(directory) does not exist yet; `statex up` makes it")]
        }
        var free: UInt64 = 0
        var inMemory: Int32 = 0
        let result = clinux_file_system(directory, &free, &inMemory)
        guard result == 0 else {
            return [
                .error(
                    "data_dir", "\(directory): \(String(cString: strerror(-result)))",
                    "make it readable, or choose another")
            ]
        }
        var findings: [Finding] = []
        let text = "\(directory), \(free >> 20) MiB free"
        // 4 GiB of log (max_wal_size) and as much to grow.
        findings.append(
            free < 8 << 30
                ? .warning(
                    "data_dir", text,
                    "the database's log alone may take 4 GiB: free some space, or choose another data_dir")
                : .ok("data_dir", text))
        if inMemory != 0 {
            findings.append(
                .warning(
                    "data_dir", "it lies in memory, so everything is lost at the next boot",
                    "choose a data_dir on a disk"))
        }
        if configuration.database == nil { findings.append(examineSynchronization(directory)) }
        return findings
    }

    /// How long a durable write takes: every acknowledgement waits for one.
    private func examineSynchronization(_ directory: String) -> Finding {
        let path = "\(directory)/.doctor-\(getpid())"
        let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            return .error(
                "disk", "\(directory) cannot be written: \(String(cString: strerror(errno)))",
                "run as its owner, or choose another data_dir")
        }
        unlink(path)
        let file = FileDescriptor(owning: raw)
        let block = [UInt8](repeating: 0x5A, count: 8192)
        var times: [Duration] = []
        for _ in 0..<32 {
            let start = ContinuousClock.now
            guard pwrite(file.raw, block, block.count, 0) == block.count, fdatasync(file.raw) == 0 else {
                return .error(
                    "disk", String(cString: strerror(errno)),
                    "the disk refuses writes; look at its health and at what is free")
            }
            times.append(ContinuousClock.now - start)
        }
        times.sort()
        let median = times[times.count / 2]
        let text = "\(median.formatted) for 8 KiB (median of \(times.count), slowest \(times.last?.formatted ?? ""))"
        if median > .milliseconds(20) {
            return .warning(
                "disk", text,
                "every commit waits for one: a single submit takes at least two; use a faster disk, or one with a protected cache"
            )
        }
        return .ok("disk", text)
    }
}

extension Duration {
    /// In milliseconds, to a microsecond.
    fileprivate var formatted: String {
        let microseconds = components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
        let fraction = String(microseconds % 1000)
        return "\(microseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction) ms"
    }
}
