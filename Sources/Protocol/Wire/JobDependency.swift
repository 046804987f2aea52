// AFTER, an option of a job in SUBMIT: which jobs of its request it waits for.

/// One job of a request that another one waits for. The one that is waited for always stands before the one
/// that waits: so a request is a graph without a cycle, whatever a client sends.
public struct JobDependency: Sendable, Equatable {
    /// Its index in the request.
    public var index: UInt16
    /// Its result is handed to the job that waits.
    public var isInput: Bool
    /// If it ends otherwise than succeeded, the job that waits fails; else that is cancelled, as skipped.
    public var failsDependant: Bool

    public init(on index: UInt16, isInput: Bool = false, failsDependant: Bool = false) {
        self.index = index
        self.isInput = isInput
        self.failsDependant = failsDependant
    }

    private static let indexBits: UInt16 = 0x0FFF
    private static let inputBit: UInt16 = 0x1000
    private static let failsBit: UInt16 = 0x2000

    /// As it stands on the wire and in the journal.
    public init(packed: UInt16) {
        index = packed & Self.indexBits
        isInput = packed & Self.inputBit != 0
        failsDependant = packed & Self.failsBit != 0
    }

    public var packed: UInt16 {
        index | (isInput ? Self.inputBit : 0) | (failsDependant ? Self.failsBit : 0)
    }
}

/// Dependencies in a row that are alike: what one AFTER holds, so that a wide fan is a few bytes.
struct DependencyRun {
    static let size = 4

    var first: JobDependency
    var count: UInt16

    static func runs(of dependencies: [JobDependency]) -> [DependencyRun] {
        var runs: [DependencyRun] = []
        for dependency in dependencies {
            if let last = runs.last, last.first.packed + last.count == dependency.packed {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(DependencyRun(first: dependency, count: 1))
            }
        }
        return runs
    }

    /// Reads a value, and adds what it names to the dependencies of job `job`.
    static func read(
        _ length: Int, _ options: borrowing RawSpan, _ cursor: inout ByteCursor, job: UInt16,
        into dependencies: inout [JobDependency]
    ) throws(WireError) {
        guard length == size else { throw WireError(.malformed, "after has \(length) bytes, it takes \(size)") }
        let first = JobDependency(packed: try cursor.read(UInt16.self, in: options, "after"))
        let count = Int(try cursor.read(UInt16.self, in: options, "after"))
        guard count > 0 else { throw WireError(.malformed, "after of job \(job) names no job") }
        let last = Int(first.index) + count - 1
        guard last < Int(job) else {
            throw WireError(
                .malformed,
                "job \(job) waits for job \(last) of its request, which does not stand before it: put each job behind those that it waits for"
            )
        }
        if let before = dependencies.last, before.index >= first.index {
            throw WireError(
                .malformed,
                "job \(job) waits for job \(first.index) after job \(before.index): name each once, in rising order")
        }
        for offset in 0..<UInt16(count) {
            var next = first
            next.index += offset
            dependencies.append(next)
        }
        guard first.isInput else { return }
        let inputs = dependencies.count { $0.isInput }
        guard inputs <= Limits.inputs else {
            throw WireError(
                .tooLarge,
                "job \(job) takes the results of \(inputs) jobs, the limit is \(Limits.inputs): gather them in steps")
        }
    }
}

extension JobOptions {
    /// What dependencies take in a job's options.
    package static func afterBytes(_ dependencies: [JobDependency]) -> Int {
        DependencyRun.runs(of: dependencies).count * (DependencyRun.size + 4)
    }
}
