import Glibc

/// The programs of one Postgres version.
package struct PostgresInstallation: Sendable, Equatable {
    package static let minimumMajor = 15

    package let major: Int
    /// Where `postgres`, `initdb` and `psql` are.
    package let directory: String

    package var postgres: String { directory + "/postgres" }
    package var initdb: String { directory + "/initdb" }
    package var psql: String { directory + "/psql" }

    /// Debian's place, one directory a version.
    static let root = "/usr/lib/postgresql"

    /// The installed versions, newest first.
    package static func installed(under root: String = root) -> [PostgresInstallation] {
        directoryNames(root).compactMap { name -> PostgresInstallation? in
            guard let major = Int(name) else { return nil }
            let directory = "\(root)/\(name)/bin"
            guard access(directory + "/postgres", X_OK) == 0, access(directory + "/initdb", X_OK) == 0 else {
                return nil
            }
            return PostgresInstallation(major: major, directory: directory)
        }.sorted { $0.major > $1.major }
    }

    /// The one to use: that of the data, if there is data, else the newest.
    static func choose(forDataOfMajor data: Int?, among installed: [PostgresInstallation]) throws(StackError)
        -> PostgresInstallation
    {
        if let data {
            if let match = installed.first(where: { $0.major == data }) { return match }
            let found = installed.map { String($0.major) }.joined(separator: ", ")
            throw StackError(
                "the data was written by Postgres \(data), installed here is \(found.isEmpty ? "none" : found): install postgresql-\(data), "
                    + "or move the data with pg_upgrade, or choose another data_dir")
        }
        guard let newest = installed.first, newest.major >= minimumMajor else {
            throw StackError(
                "Postgres \(minimumMajor) or newer is not installed under \(root): run `apt-get install postgresql`, or name a database (key `database`)"
            )
        }
        return newest
    }
}

/// The names in a directory, without `.` and `..`; empty when it cannot be read.
func directoryNames(_ path: String) -> [String] {
    guard let listing = opendir(path) else { return [] }
    defer { closedir(listing) }
    var names: [String] = []
    while let entry = readdir(listing) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        if name != ".", name != ".." { names.append(name) }
    }
    return names
}
