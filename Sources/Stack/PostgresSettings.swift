// How the embedded Postgres is set, with the reason for each setting.

/// Setting, value, reason. An `ALTER SYSTEM` of the operator's is stronger.
private let settings: [(name: String, value: String, reason: String)] = [
    ("listen_addresses", "''", "a Unix socket only: whoever can enter its directory is us"),
    ("port", "5432", "names the socket, and is in the URL, so that PGPORT changes nothing"),
    ("unix_socket_permissions", "0700", "the directory is 0700 too; either alone would do"),
    ("max_connections", "40", "the scheduler has two, a gateway a small pool, people the rest; each costs memory"),
    ("fsync", "on", "the promise: what was acknowledged survives a power cut"),
    ("synchronous_commit", "on", "the acknowledgement leaves after the commit is on the disk"),
    ("full_page_writes", "on", "a page that was half written when the power went is whole again"),
    (
        "data_sync_retry", "off",
        "after a failed fsync the kernel has forgotten the data: recover from the log, never try again"
    ),
    ("wal_level", "replica", "pg_basebackup and archiving work without a restart"),
    ("wal_buffers", "16MB", "one segment: a group of thousands of jobs does not wait for a buffer in mid-commit"),
    ("max_wal_size", "4GB", "checkpoints by time and not by volume, under full load too"),
    ("min_wal_size", "512MB", "segments are used again: a new one is written twice"),
    ("checkpoint_timeout", "15min", "appended pages are written about once; a longer time only lengthens recovery"),
    ("checkpoint_completion_target", "0.9", "spread out: a commit's fsync must not queue behind a burst"),
    ("shared_buffers", "256MB", "the newest pages and the right edges of the indexes; the rest is read once, in order"),
    ("huge_pages", "off", "at this size they gain nothing, and asking for them can fail"),
    ("jit", "off", "short statements: compiling them costs more than running them"),
    (
        "autovacuum", "on",
        "tables are only appended to, so it freezes and does little else; without it ids would run out"
    ),
    ("autovacuum_max_workers", "2", "vacuum must not take the cores of the work"),
    ("update_process_title", "off", "two system calls a statement"),
    ("timezone", "'UTC'", "times are shown the same everywhere"),
    ("log_timezone", "'UTC'", "as above"),
    ("logging_collector", "on", "into files of our own"),
    ("log_destination", "'stderr'", "plain text"),
    ("log_filename", "'postgres-%a.log'", "one a weekday, so there are never more than seven"),
    ("log_rotation_age", "1d", "as above"),
    ("log_rotation_size", "0", "as above: only by time"),
    ("log_truncate_on_rotation", "on", "last week's is overwritten"),
    ("log_file_mode", "0600", "as the data"),
    ("log_line_prefix", "'%m [%p] %q%u@%d '", "time, process, who"),
    ("log_statement", "'none'", "statements may hold what users sent"),
    ("log_min_error_statement", "'panic'", "as above"),
    ("log_parameter_max_length", "0", "as above"),
    ("log_parameter_max_length_on_error", "0", "as above"),
    ("log_error_verbosity", "terse", "as above: DETAIL quotes keys"),
]

/// The text of `statex.conf`.
func postgresConfiguration(socketDirectory: String, logDirectory: String, changes: [String: String]) -> String {
    var text = "# Written by `statex up` at each start. To change a setting use ALTER SYSTEM, which is stronger.\n\n"
    // In double quotes inside: the setting is a list, and a directory may hold a space.
    text += "unix_socket_directories = '\"\(socketDirectory)\"'\nlog_directory = '\(logDirectory)'\n"
    for setting in settings {
        let value = changes[setting.name] ?? setting.value
        text += "# \(setting.reason)\n\(setting.name) = \(value)\n"
    }
    for (name, value) in changes.sorted(by: { $0.key < $1.key }) where !settings.contains(where: { $0.name == name }) {
        text += "\(name) = \(value)\n"
    }
    return text
}

/// Who may connect: users of this machine, as the database's one role, and only those named below.
let hostBasedAuthentication = """
    # Written by `statex up` at each start.
    local all statex peer map=statex
    local replication statex peer map=statex
    """ + "\n"

/// The owner of the data, and root.
func identityMap(_ user: OrdinaryUser) -> String {
    "# Written by `statex up` at each start.\nstatex root statex\nstatex \"\(user.name)\" statex\n"
}
