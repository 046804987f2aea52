import Foundation
import StatexProtocol

@testable import StatexStack

/// What a command of operators printed with `--json`.
struct OperatorAnswer {
    let end: ProcessEnd
    let json: [String: Any]
    let errors: String

    func list(_ name: String) -> [[String: Any]] { json[name] as? [[String: Any]] ?? [] }
    func texts(_ list: String, _ member: String) -> [String] { self.list(list).compactMap { $0[member] as? String } }
    var reached: Int? { json["reached"] as? Int }
    var message: String { json["message"] as? String ?? "" }
}

extension TestStack {
    /// Runs a command against this stack as an operator does.
    func run(_ arguments: String...) throws -> CommandRun {
        let reads = ["jobs", "job", "dead", "audit", "retry"].contains(arguments[0])
        return try CommandRun(
            arguments + ["--config", directory + "/statex.yaml", "--endpoint", submitEndpoint(), "--timeout", "30"]
                + (reads ? ["--database", database] : []), in: directory)
    }

    func ask(_ arguments: String...) throws -> OperatorAnswer {
        let reads = ["jobs", "job", "dead", "audit", "retry"].contains(arguments[0])
        let run = try CommandRun(
            arguments + ["--json", "--config", directory + "/statex.yaml", "--endpoint", submitEndpoint()]
                + ["--timeout", "30"] + (reads ? ["--database", database] : []), in: directory)
        let object = try? JSONSerialization.jsonObject(with: Data(run.output.utf8))
        guard let json = object as? [String: Any] else {
            return OperatorAnswer(end: run.end, json: [:], errors: "\(run)")
        }
        return OperatorAnswer(end: run.end, json: json, errors: run.errors)
    }
}
