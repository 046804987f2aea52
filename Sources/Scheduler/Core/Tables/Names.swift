import StatexProtocol

/// Numbers for names. A new name's row goes into the same commit as its first use.
package struct Names: Sendable {
    private struct Key: Hashable {
        var family: NameFamily
        var name: String
    }
    private var numbers: [Key: UInt32] = [:]
    package private(set) var next: UInt32 = 1

    package init() {}

    /// The name's number, and whether it is new.
    package mutating func number(_ family: NameFamily, _ name: String) -> (number: UInt32, isNew: Bool) {
        let key = Key(family: family, name: name)
        if let number = numbers[key] { return (number, false) }
        let number = next
        next += 1
        numbers[key] = number
        return (number, true)
    }

    package func existing(_ family: NameFamily, _ name: String) -> UInt32? { numbers[Key(family: family, name: name)] }

    /// Takes a name over from the journal.
    package mutating func restore(_ family: NameFamily, _ name: String, number: UInt32) {
        numbers[Key(family: family, name: name)] = number
        next = max(next, number + 1)
    }

    package mutating func restore(next: UInt32) { self.next = max(self.next, next) }

    /// Forgets a worker incarnation that will not come back, so that names do not add up in memory.
    package mutating func forget(_ family: NameFamily, _ name: String) {
        numbers[Key(family: family, name: name)] = nil
    }
}
