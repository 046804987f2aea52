import Foundation
import StatexProtocol

/// A key that is allowed, and what for.
package struct AllowedKey: Sendable, Hashable {
    package var key: CurveKey
    package var role: KeyRole
    package var tenants: TenantScope
    /// Of its holder: two keys of one name are the same holder's, the one before and the one to come.
    package var name: String
    /// From then on it is not allowed; nil: as long as it stands in the list.
    package var end: KeyEnd?

    package init(
        key: CurveKey, role: KeyRole, tenants: TenantScope, name: String, end: KeyEnd? = nil
    ) throws(KeyError) {
        try checkKeyName(name)
        switch (role, tenants) {
        case (.client, .only(let tenants)):
            guard !tenants.isEmpty else {
                throw KeyError("\(name): a client's key is for tenants: name them (--tenant), or all (--tenant '*')")
            }
            guard tenants.count <= Self.tenants else {
                throw KeyError("\(name): \(tenants.count) tenants, a key is for \(Self.tenants) at most, or for all")
            }
            for tenant in tenants {
                guard (1...Limits.nameBytes).contains(tenant.utf8.count), !tenant.utf8.contains(0) else {
                    throw KeyError("\(name): a tenant's name takes 1 to \(Limits.nameBytes) bytes without NUL")
                }
            }
        case (.worker, .only), (.gateway, .only), (.operator, .only):
            throw KeyError("\(name): the key of a \(role.rawValue) is for every tenant; leave --tenant out")
        case (_, .all): break
        }
        self.key = key
        self.role = role
        self.tenants = tenants
        self.name = name
        self.end = end
    }

    private static let tenants = 1_000

    /// Whether it lets its holder do the same, however long.
    package func hasRights(of other: AllowedKey) -> Bool {
        role == other.role && tenants == other.tenants && name == other.name
    }
}

/// It is part of names of files, of lines and of the audit trail.
package func checkKeyName(_ name: String) throws(KeyError) {
    guard KindName.isValid(name), name.first != ".", name.first != "-" else {
        throw KeyError("a key's name takes \(KindName.rule), and begins with neither dot nor dash")
    }
}

/// The keys that a scheduler lets in: a file of lines, each `KEY ROLE TENANTS NAME`, and `UNTIL` if it ends.
package struct AllowList: Sendable, Equatable {
    package private(set) var all: [AllowedKey] = []
    private var places: [String: Int] = [:]
    private var ofName: [String: [Int]] = [:]
    /// When the first of them ends; nil: none does.
    package private(set) var firstEnd: KeyEnd?

    /// More than peers may be connected at once.
    package static let limit = 20_000
    /// One more than is used, so that a key can be exchanged while both are valid.
    package static let keysOfName = 2

    package init() {}

    package subscript(key: String) -> AllowedKey? { places[key].map { all[$0] } }

    package func contains(name: String) -> Bool { ofName[name] != nil }

    /// A key that is there with these rights may be given another end.
    package mutating func allow(_ new: AllowedKey) throws(KeyError) {
        if let place = places[new.key.text], all[place].hasRights(of: new), all[place].end != new.end {
            all[place].end = new.end
            firstEnd = all.compactMap(\.end).min()
            return
        }
        guard all.count < Self.limit else { throw KeyError("the list has \(Self.limit) keys, as many as it takes") }
        if let known = self[new.key.text] {
            throw KeyError("\(new.name): this key is there already, as that of \(known.name)")
        }
        let namesakes = (ofName[new.name] ?? []).map { all[$0] }
        if let other = namesakes.first(where: { $0.role != new.role || $0.tenants != new.tenants }) {
            throw KeyError(
                "\(new.name) is a \(other.role.rawValue) with other rights there already; revoke that first, or choose another name"
            )
        }
        guard namesakes.count < Self.keysOfName else {
            throw KeyError("\(new.name) has \(namesakes.count) keys already; revoke the older one first")
        }
        add(new)
    }

    /// Takes out a key, or all keys of a name.
    /// - Returns: those that were there.
    package mutating func revoke(_ nameOrKey: String) -> [AllowedKey] {
        let (gone, left) = (
            all.filter { $0.name == nameOrKey || $0.key.text == nameOrKey },
            all.filter { $0.name != nameOrKey && $0.key.text != nameOrKey }
        )
        self = AllowList()
        for entry in left { add(entry) }
        return gone
    }

    private mutating func add(_ entry: AllowedKey) {
        places[entry.key.text] = all.count
        ofName[entry.name, default: []].append(all.count)
        all.append(entry)
        if let end = entry.end { firstEnd = min(firstEnd ?? end, end) }
    }

    /// Those whose end has not come.
    package func allowed(at now: KeyEnd) -> AllowList {
        var list = AllowList()
        for entry in all where entry.end.map({ now < $0 }) ?? true { list.add(entry) }
        return list
    }

    /// What is different from an earlier one, for the audit trail; empty: nothing.
    package func changes(since earlier: AllowList) -> String {
        let came = all.filter { earlier[$0.key.text] != $0 }.map { entry in
            "\(earlier[entry.key.text] == nil ? "allowed" : "changed") \(entry.summary)"
        }
        let went = earlier.all.filter { self[$0.key.text] == nil }.map { "revoked \($0.summary)" }
        return (came + went).joined(separator: "; ")
    }

    // MARK: The file

    package init(reading text: String) throws(KeyError) {
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            // No key begins so: its first five characters would be more than 32 bits.
            guard !line.allSatisfy(\.isWhitespace), !line.hasPrefix("#") else { continue }
            do throws(KeyError) { try allow(AllowedKey(line: line)) } catch {
                throw KeyError("line \(number): \(error)")
            }
        }
    }

    package var text: String {
        "# The keys that the scheduler lets in: key, role, tenants, name, end. `statex keys` writes this file.\n"
            + all.map { $0.line + "\n" }.joined()
    }
}

extension AllowedKey {
    fileprivate init(line: Substring) throws(KeyError) {
        let words = line.split(whereSeparator: \.isWhitespace)
        guard (4...5).contains(words.count) else {
            throw KeyError("it takes four words: key, role, tenants, name; and a fifth if the key ends: when")
        }
        guard let key = CurveKey(words[0]) else {
            throw KeyError("\(words[0].prefix(40)) is no key: 40 characters of Z85")
        }
        guard let role = KeyRole(rawValue: String(words[1])) else {
            throw KeyError("the role is one of \(KeyRole.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var tenants = TenantScope.all
        if words[2] != Self.everybody {
            var names: Set<String> = []
            for word in words[2].split(separator: ",", omittingEmptySubsequences: false) {
                guard let name = String(word).removingPercentEncoding else {
                    throw KeyError("\(word) is no name of a tenant: percent signs are written %25")
                }
                names.insert(name)
            }
            tenants = .only(names)
        }
        let end = words.count == 5 ? try KeyEnd(reading: words[4]) : nil
        try self.init(key: key, role: role, tenants: tenants, name: String(words[3]), end: end)
    }

    fileprivate var line: String {
        "\(key) \(role.rawValue) \(tenantsText) \(name)" + (end.map { " \($0)" } ?? "")
    }

    /// As a list and the audit trail show it: the key's beginning tells two of one name apart.
    package var summary: String {
        let end = end.map { ", until \($0)" } ?? ""
        return
            "\(name) (\(role.rawValue)\(role == .client ? " of \(tenantsText)" : ""), key \(key.text.prefix(8))…\(end))"
    }

    package var tenantsText: String {
        switch tenants {
        case .all: Self.everybody
        case .only(let names):
            names.sorted().map { $0.addingPercentEncoding(withAllowedCharacters: Self.plain) ?? $0 }
                .joined(separator: ",")
        }
    }

    private static let everybody = "*"
    private static let plain = CharacterSet(
        charactersIn: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@/")
}
