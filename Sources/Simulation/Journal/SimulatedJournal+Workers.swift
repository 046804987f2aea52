import StatexProtocol

// Worker incarnations have numbers in the journal, and names that say which place and which process each is.

extension SimulatedJournal {
    private func name(ofWorker number: UInt32) -> String? {
        names.last { $0.family == .worker && $0.number == number }?.name
    }

    func incarnation(ofWorker number: UInt32) -> WorkerID? {
        guard let name = name(ofWorker: number), let slash = name.lastIndex(of: "/") else { return nil }
        return WorkerID(name[name.index(after: slash)...], radix: 16)
    }

    func place(ofWorker number: UInt32) -> Int? {
        guard let name = name(ofWorker: number), let slash = name.lastIndex(of: "/") else { return nil }
        return Int(name[..<slash].dropFirst())
    }
}
