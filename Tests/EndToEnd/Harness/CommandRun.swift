import Foundation

@testable import StatexStack

/// The built program, run to its end, and what it said.
struct CommandRun: CustomStringConvertible {
    let end: ProcessEnd
    let output: String
    let errors: String

    var description: String { "\(end)\n\(output)\n\(errors)" }

    init(_ arguments: [String], in directory: String, limit: Duration = .seconds(60)) throws {
        try self.init(script: #""$@""#, arguments, in: directory, limit: limit)
    }

    /// - Parameter script: the arguments as a shell reads them.
    init(
        script: String, _ arguments: [String] = [], in directory: String, limit: Duration = .seconds(60)
    ) throws {
        let name = directory + "/" + String(UInt32.random(in: .min ... .max), radix: 36)
        let command = Command(
            "/bin/sh", ["-c", #"exec "$PROGRAM" \#(script) >"$NAME.out" 2>"$NAME.err""#, "statex"] + arguments,
            environment: ["PATH": "/usr/bin:/bin", "PROGRAM": TestStack.program, "NAME": name])
        end = try ChildProcess.run(command, limit: limit)
        output = ProcessTable.text(name + ".out")
        errors = ProcessTable.text(name + ".err")
        for ending in [".out", ".err"] { try? FileManager.default.removeItem(atPath: name + ending) }
    }
}
