/// A set of labels that a job requires of its worker, by number; most jobs require none.
package struct LabelSet: Sendable, Hashable {
    let number: Int32
    package static let none = LabelSet(number: 0)
}

/// The sets of labels in use: a job names its set in four bytes.
struct LabelSets: Sendable {
    private var sets: [[String]] = [[]]
    private var numbers: [[String]: Int32] = [[]: 0]

    subscript(set: LabelSet) -> [String] { sets[Int(set.number)] }

    func known(_ labels: [String]) -> LabelSet? {
        numbers[Set(labels).sorted()].map { LabelSet(number: $0) }
    }

    mutating func set(of labels: [String]) -> LabelSet {
        let sorted = Set(labels).sorted()
        if let number = numbers[sorted] { return LabelSet(number: number) }
        let number = Int32(sets.count)
        sets.append(sorted)
        numbers[sorted] = number
        return LabelSet(number: number)
    }
}
