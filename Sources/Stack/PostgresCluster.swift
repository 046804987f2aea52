// The embedded Postgres on disk: where everything is, how it is made, how it is started.
//
//     <data_dir>/postgres/           0700, owned by the ordinary user; holds the socket
//                         data/      the data directory of Postgres
//                         log/

import Glibc
import StatexConfiguration

package struct PostgresCluster: Sendable {
    package let installation: PostgresInstallation
    package let user: OrdinaryUser
    /// `<data_dir>/postgres`.
    package let directory: String

    package var data: String { directory + "/data" }
    package var logs: String { directory + "/log" }
    /// What the postmaster says before it writes to its own files.
    private var startLog: String { directory + "/start.log" }
    /// Where to look for why it ended.
    var allLogs: String { "\(logs), \(startLog)" }

    /// Why it did not start, as far as it said.
    package var lastWords: String { "\(Self.lastWords(startLog)) (see also \(logs))" }
    private var changes: [String: String] = [:]

    /// The name of the role and of the database.
    static let name = "statex"
    private static let port = 5432

    /// For libpq and `psql`, from the user who started this and from root.
    package var url: String { Self.url(of: directory) }

    /// Of the cluster that `statex up` keeps there.
    package static func url(inDataDirectory directory: String) -> String { url(of: directory + "/postgres") }

    static func url(of directory: String) -> String {
        let host = directory.utf8.map { isUnreserved($0) ? String(UnicodeScalar($0)) : "%" + hexadecimal($0) }.joined()
        return "postgresql:///\(name)?host=\(host)&port=\(port)&user=\(name)"
    }

    static func socket(in directory: String) -> String { "\(directory)/.s.PGSQL.\(port)" }

    /// Makes what is missing under `dataDirectory` (an existing absolute path), checks what is there,
    /// and writes the settings.
    /// - Parameter changes: settings besides or instead of ours, as they would stand in a file.
    package init(
        dataDirectory: String, user configured: String? = nil, binaries: String? = nil, changes: [String: String] = [:]
    ) throws(StackError) {
        directory = dataDirectory + "/postgres"
        self.changes = changes
        try Self.checkPath(directory)
        let major = try Self.dataMajor(directory + "/data")
        if let owner = try Self.owner(of: directory + "/data") {
            user = owner
        } else {
            user = try .choose(configured: configured)
        }
        installation = try Self.installation(binaries, dataMajor: major)
        try makeDirectory(directory, mode: 0o700, owner: user)
        try makeDirectory(logs, mode: 0o700, owner: user)
        try user.checkReaches(directory)
        if major == nil { try create(initialLog: dataDirectory + "/initdb.log") }
        try writeSettings()
    }

    /// What starts the postmaster. When we die it shuts down fast.
    package var command: Command {
        var command = Command(installation.postgres, ["-D", data], environment: Self.environment, user: dropsTo)
        command.deathSignal = "INT"
        command.log = startLog
        return command
    }

    /// A clean one: nothing of ours (PGOPTIONS, locale) reaches the server.
    private static let environment = ["PATH": "/usr/bin:/bin", "LC_ALL": "C"]

    private var dropsTo: OrdinaryUser? { user.uid == geteuid() ? nil : user }

    /// Whether the postmaster that is process `pid` accepts connections.
    package func isReady(pid: pid_t) -> Bool {
        // Line 1 is the pid, line 8 the state. See `src/include/utils/pidfile.h` in Postgres.
        let lines = postmasterFile()
        return lines.count >= 8 && lines[0] == String(pid) && lines[7].hasPrefix("ready")
    }

    private func postmasterFile() -> [Substring] {
        String(decoding: ProcessTable.read(data + "/postmaster.pid", limit: 4096), as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    /// The processes that still work on the data.
    package func leftovers() -> [pid_t] { ProcessTable.postgresProcesses(on: data) }

    /// Ends what an earlier run left: a postmaster is shut down, orphaned backends are waited for,
    /// because they may still commit. Nothing may be left when a new postmaster starts.
    package func endLeftovers() throws(StackError) {
        if let first = postmasterFile().first, let postmaster = pid_t(first), leftovers().contains(postmaster) {
            kill(postmaster, SIGINT)
            _ = ProcessTable.end(nil, patience: .seconds(60)) { leftovers().filter { $0 == postmaster } }
        }
        guard ProcessTable.end(nil, patience: .seconds(10), leftovers) else {
            throw StackError(
                "Postgres processes \(leftovers()) still work on \(data) and cannot be ended; see what they wait for (ps, dmesg)"
            )
        }
        removeLocks()
    }

    /// Postgres believes a lock file whose pid is alive, and after a restart of the machine or of a
    /// container that pid may be anybody's. Only to be called when no process works on the data.
    package func removeLocks() {
        unlink(data + "/postmaster.pid")
        unlink(Self.socket(in: directory) + ".lock")
    }

    // MARK: Making it

    static let freshPrefix = "data.new-"

    /// Under another name first: a directory called `data` is always complete. A name of its own each
    /// time: `initdb` of a run that was killed may not have noticed yet.
    private func create(initialLog log: String) throws(StackError) {
        removeUnfinished(log)
        let fresh = "\(directory)/\(Self.freshPrefix)\(String(UInt64.random(in: .min ... .max), radix: 36))"
        try run(
            installation.initdb,
            [
                "-D", fresh, "-U", Self.name, "--data-checksums", "--encoding=UTF8", "--locale=C", "--auth=peer",
                "--no-instructions",
            ], as: dropsTo, log: log)
        try run(
            installation.postgres, ["--single", "-D", fresh, "postgres"], as: dropsTo,
            input: "CREATE DATABASE \(Self.name)\n", log: log)
        try append("\ninclude 'statex.conf'\n", to: fresh + "/postgresql.conf")
        guard rename(fresh, data) == 0 else { throw .system("renaming \(fresh)") }
        sync(directory)
        unlink(log)
    }

    private func removeUnfinished(_ log: String) {
        for name in directoryNames(directory) where name.hasPrefix(Self.freshPrefix) {
            let path = "\(directory)/\(name)"
            _ = ProcessTable.end(SIGKILL, patience: .zero) { ProcessTable.postgresProcesses(on: path) }
            // As ourselves: what is there may be anybody's. What stays only takes room until the next try.
            try? run("/bin/rm", ["-rf", path], as: nil, log: log)
        }
    }

    private func run(
        _ program: String, _ arguments: [String], as user: OrdinaryUser?, input: String? = nil, log: String
    ) throws(StackError) {
        var command = Command(program, arguments, environment: Self.environment, user: user)
        command.deathSignal = "KILL"
        command.log = log
        command.input = input
        let status = try ChildProcess.run(command, limit: .seconds(300))
        guard status == .exited(0) else {
            throw StackError("\(program) ended with \(status): \(Self.lastWords(log))")
        }
    }

    /// The last lines of a log, in one, without what a terminal would act on.
    static func lastWords(_ log: String) -> String {
        let bytes = ProcessTable.read(log, limit: 64 << 10).filter { $0 == 0x0A || $0 >= 0x20 }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").suffix(5).joined(separator: " | ")
    }

    private func writeSettings() throws(StackError) {
        let text = postgresConfiguration(socketDirectory: directory, logDirectory: logs, changes: changes)
        try replace(data + "/statex.conf", with: text)
        try replace(data + "/pg_hba.conf", with: hostBasedAuthentication)
        try replace(data + "/pg_ident.conf", with: identityMap(user))
    }

    private func replace(_ path: String, with text: String) throws(StackError) {
        try replaceFile(path, with: Array(text.utf8), mode: 0o600, owner: dropsTo)
    }

    private func append(_ text: String, to path: String) throws(StackError) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { throw .system("opening \(path)") }
        defer { close(descriptor) }
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count, fsync(descriptor) == 0 else {
            throw .system("writing \(path)")
        }
    }

    private func sync(_ directory: String) {
        let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        close(descriptor)
    }

    // MARK: Checking what is there

    private static func checkPath(_ directory: String) throws(StackError) {
        let socket = socket(in: directory)
        guard socket.utf8.count <= maximumSocketPath else {
            let room = maximumSocketPath - (socket.utf8.count - directory.utf8.count) - "/postgres".utf8.count
            throw StackError(
                "data_dir: the path has \(directory.utf8.count - 9) bytes, Postgres' socket in it leaves room for \(room); choose a shorter one"
            )
        }
        // In settings files and in URLs these would end the path or begin another.
        guard directory.utf8.allSatisfy({ $0 > 0x1F && $0 != 0x7F && !"'\"\\,".utf8.contains($0) }) else {
            throw StackError(
                "data_dir: the path must not contain quotes, commas, backslashes or control characters; choose another")
        }
    }

    private static func dataMajor(_ data: String) throws(StackError) -> Int? {
        guard access(data, F_OK) == 0 else { return nil }
        let text = String(decoding: ProcessTable.read(data + "/PG_VERSION", limit: 64), as: UTF8.self)
        guard let major = Int(text.prefix { $0.isNumber }) else {
            throw StackError(
                "\(data) is no data directory of Postgres that we can read (PG_VERSION); run as its owner or as root, or move it away"
            )
        }
        return major
    }

    /// Data that is there keeps its owner.
    private static func owner(of data: String) throws(StackError) -> OrdinaryUser? {
        var status = stat()
        guard stat(data, &status) == 0 else { return nil }
        guard geteuid() == 0 || status.st_uid == geteuid() else {
            throw StackError(
                "\(data) belongs to user \(status.st_uid), we are \(geteuid()); run as that user or as root, or choose another data_dir"
            )
        }
        guard let user = OrdinaryUser.find(uid: status.st_uid), user.uid != 0 else {
            throw StackError(
                "\(data) belongs to user \(status.st_uid), which is root or has no entry in /etc/passwd; Postgres cannot run as that: chown -R it"
            )
        }
        return user
    }

    private static func installation(_ binaries: String?, dataMajor: Int?) throws(StackError) -> PostgresInstallation {
        guard let binaries else {
            return try .choose(forDataOfMajor: dataMajor, among: PostgresInstallation.installed())
        }
        // …/15/bin: Debian's form, which is how the version is known without starting a program.
        let parts = binaries.split(separator: "/")
        guard parts.count >= 2, let major = Int(parts[parts.count - 2]), access(binaries + "/postgres", X_OK) == 0
        else {
            throw StackError(
                "postgres_bin: \(binaries) must be a directory such as /usr/lib/postgresql/15/bin with the program postgres"
            )
        }
        return try .choose(forDataOfMajor: dataMajor, among: [PostgresInstallation(major: major, directory: binaries)])
    }
}

private func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "/-._~".utf8.contains(byte)
    }
}

private func hexadecimal(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true) }
