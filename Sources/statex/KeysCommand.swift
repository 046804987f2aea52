import ArgumentParser
import StatexConfiguration
import StatexKeys
import StatexProtocol
import StatexZeroMQ

/// `statex keys`: who may speak to a scheduler over TCP.
struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make keys for tcp:// endpoints, allow and revoke them.",
        discussion: """
            A scheduler has a pair of its own (new --server), and so has every peer. Those in the list (key \
            allowed_keys) are let in, for what their role may do. A running scheduler takes a change over within two \
            seconds, and at once when it gets SIGHUP; it records each in the audit trail.
            """,
        subcommands: [NewCommand.self, AllowCommand.self, RevokeCommand.self, ListCommand.self])

    struct NewCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new", abstract: "Make a pair: NAME.key, which stays where it is used, and NAME.pub.")

        @Argument(help: "Whose it is (default with --server: server).") var name: String?
        @Flag(help: "The scheduler's own pair.") var server = false
        @Option(help: "client, worker, gateway or operator.") var role: String?
        @Option(help: "Whose requests a client's key is for; may be repeated; '*': all.") var tenant: [String] = []
        @Option(help: "Where the files go (default: beside allowed_keys).") var out: String?
        @OptionGroup var place: KeyPlace

        func validate() throws {
            guard server == (role == nil) else {
                throw ValidationError(server ? "--server and --role exclude each other" : "give --role, or --server")
            }
            guard server || name != nil else { throw ValidationError("whose key is it? Give a name") }
            guard !server || tenant.isEmpty else { throw ValidationError("--tenant is for clients' keys") }
        }

        func run() throws {
            let directory = try out ?? place.configuration().keyDirectory
            try asKeys { () throws(KeyError) in
                let name = name ?? "server"
                try checkKeyName(name)
                let pair: KeyPair
                do throws(ZeroMQError) { pair = try .make() } catch { throw KeyError(error.description) }
                var role: KeyRole?
                if let words = self.role {
                    role = try KeyRole(argument: words)
                    // What could not be allowed is not made.
                    if let role {
                        _ = try AllowedKey(
                            key: pair.publicKey, role: role, tenants: .init(tenant, of: role), name: name)
                    }
                }
                let file = KeyFile(name: name, role: role, tenants: tenant, pair)
                let paths = try file.write(to: directory)
                print("\(paths.key)  (secret: it stays where it is used)\n\(paths.public)")
            }
        }
    }

    struct AllowCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "allow", abstract: "Let the holder of a key in.",
            discussion: """
                Role and tenants are those that NAME.pub says, unless they are given here. Allow a key that is there again \
                to give it another end (--until never: none).
                """)

        @Argument(help: "NAME.pub.") var file: String
        @Option(help: "client, worker, gateway or operator.") var role: String?
        @Option(help: "Whose requests a client's key is for; may be repeated; '*': all.") var tenant: [String] = []
        @Option(help: "Whose it is (default: as the file says).") var name: String?
        @Option(help: "From when on it is not allowed: 2027-01-01 (UTC), or 2027-01-01T12:00:00Z (default: never).")
        var until = Self.never
        @OptionGroup var place: KeyPlace

        func run() throws {
            let list = try place.configuration().allowedKeys
            try asKeys { () throws(KeyError) in
                let known = try KeyFile.readPublic(file)
                guard known.publicKeys.count == 1, let key = known.publicKeys.first else {
                    throw KeyError("\(file): it has \(known.publicKeys.count) keys, a peer's has one")
                }
                guard let role = try role.map({ words throws(KeyError) in try KeyRole(argument: words) }) ?? known.role
                else { throw KeyError("\(file): it says no role; give --role") }
                let tenants = tenant.isEmpty ? known.tenants : tenant
                let end = until == Self.never ? nil : try KeyEnd(reading: until)
                if let end, end <= .now { throw KeyError("--until \(printable(until)): that is over already") }
                let entry = try AllowedKey(
                    key: key, role: role, tenants: .init(tenants, of: role), name: name ?? known.name, end: end)
                try AllowList.change(list) { (list) throws(KeyError) in try list.allow(entry) }
                print("allowed \(entry.summary)")
            }
        }

        private static let never = "never"
    }

    struct RevokeCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke", abstract: "Let the holder of a key in no more.",
            discussion: """
                A session that it has ends; a worker's leases come back, unless it returns with another key of its name \
                within the grace. Exits 5 when nothing of that name was allowed.
                """)

        @Argument(help: "The name of a holder (all its keys), or one key.") var nameOrKey: String
        @OptionGroup var place: KeyPlace

        func run() throws {
            let list = try place.configuration().allowedKeys
            var gone: [AllowedKey] = []
            try asKeys { () throws(KeyError) in
                gone = try AllowList.change(list) { (list) throws(KeyError) in list.revoke(nameOrKey) }
            }
            guard !gone.isEmpty else { throw ending(.unknown, "no key \(printable(nameOrKey)) is allowed") }
            for entry in gone { print("revoked \(entry.summary)") }
        }
    }

    struct ListCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the keys that are allowed.")

        @Flag(help: "Print one JSON object.") var json = false
        @OptionGroup var place: KeyPlace

        func run() throws {
            let path = try place.configuration().allowedKeys
            try asKeys { () throws(KeyError) in
                let list = try AllowList.read(path, missing: AllowList())
                json ? showJSON(list) : showText(list)
            }
        }

        private func showText(_ list: AllowList) {
            guard !list.all.isEmpty else { return print("no key is allowed") }
            var table = TextTable("NAME", "ROLE", "TENANTS", "KEY", "UNTIL")
            let now = KeyEnd.now
            for entry in list.all {
                let tenants = entry.role == .client ? printable(entry.tenantsText) : ""
                let end = entry.end.map { $0 <= now ? "\($0), over" : $0.description } ?? ""
                table.add([entry.name, entry.role.rawValue, tenants, entry.key.text, end])
            }
            print(table.lines.joined(separator: "\n"))
        }

        private func showJSON(_ list: AllowList) {
            var text = JSONText()
            text.object {
                $0.array("keys", list.all) { entry, text in
                    text.member("name", entry.name)
                    text.member("role", entry.role.rawValue)
                    if case .only(let tenants) = entry.tenants { text.strings("tenants", tenants.sorted()) }
                    text.member("key", entry.key.text)
                    if let end = entry.end { text.member("until", end.description) }
                }
            }
            print(String(decoding: text.bytes, as: UTF8.self))
        }
    }
}

/// Where the keys of a scheduler lie.
struct KeyPlace: ParsableArguments {
    @Option(help: "The folder of the scheduler (key data_dir); keys lie in it, unless allowed_keys says where.")
    var dataDir: String?
    @OptionGroup var options: ConfigurationOptions

    func configuration() throws -> Configuration { try options.load(["data_dir": dataDir]).configuration }
}

/// What is wrong with keys is the caller's to put right.
private func asKeys(_ body: () throws(KeyError) -> Void) throws {
    do throws(KeyError) { try body() } catch { throw ending(.usage, error.description) }
}

extension KeyRole {
    fileprivate init(argument: String) throws(KeyError) {
        guard let role = KeyRole(rawValue: argument) else {
            throw KeyError("--role takes \(KeyRole.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = role
    }
}

extension TenantScope {
    fileprivate init(_ names: [String], of role: KeyRole) {
        self = names.contains("*") || (role != .client && names.isEmpty) ? .all : .only(Set(names))
    }
}

/// The flags of every command that may speak over TCP.
struct PeerKeyOptions: ParsableArguments {
    @Option(help: ArgumentHelp("This process' key, for tcp:// endpoints (key peer_key).", valueName: "file"))
    var peerKey: String?
    @Option(help: ArgumentHelp("The scheduler's public key (key server_public_key).", valueName: "file"))
    var serverPublicKey: String?
}

extension Configuration {
    /// Where `statex keys new` puts files.
    fileprivate var keyDirectory: String {
        allowedKeys.lastIndex(of: "/").map { String(allowedKeys[..<$0]) } ?? "."
    }

    /// For processes that connect; nil: without keys.
    var peerKeys: PeerKeys? {
        guard let peerKey, let serverPublicKey else { return nil }
        return PeerKeys(own: peerKey, scheduler: serverPublicKey)
    }
}
