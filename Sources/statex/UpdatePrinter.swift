import Foundation
import StatexClient
import StatexProtocol
import Synchronization

/// Shows what a request's jobs say before they are done: on a terminal a line on stderr that changes, with
/// `--json --follow` one JSON object a line on stdout.
final class UpdatePrinter: Sendable {
    enum Form {
        /// Nobody looks.
        case none
        case line
        case json
    }

    private let form: Form
    private let isLineShown = Atomic<Bool>(false)

    /// - Parameters:
    ///   - follows: `--follow` was given.
    ///   - json: `--json` was given.
    init(follows: Bool, json: Bool) {
        form = json ? (follows ? .json : .none) : (follows || isatty(2) == 1 ? .line : .none)
    }

    var isNeeded: Bool { form != .none }

    func show(_ update: RequestUpdate) {
        switch form {
        case .none: break
        case .line: showLine(update)
        case .json: printJSON(update)
        }
    }

    private func showLine(_ update: RequestUpdate) {
        switch update {
        case .progress(let progress):
            guard isatty(2) == 1 else { return }
            let text = progress.text.isEmpty ? "" : ": " + printable(progress.text.prefix(60))
            let percent = Int(progress.fraction * 100)
            write("\r\u{1B}[Kjob \(progress.index + 1): \(percent) %\(text)", to: .standardError)
            isLineShown.store(true, ordering: .relaxed)
        case .output: break
        case .finished: clear()
        }
    }

    /// Takes the line away, before anything else is printed.
    func clear() {
        guard isLineShown.exchange(false, ordering: .relaxed) else { return }
        write("\r\u{1B}[K", to: .standardError)
    }

    /// At once: whoever looks, or reads a pipe, wants it now.
    private func write(_ text: String, to file: FileHandle) { try? file.write(contentsOf: Data(text.utf8)) }

    private func printJSON(_ update: RequestUpdate) {
        var json = JSONText()
        json.object { json in
            switch update {
            case .progress(let progress):
                json.member("job", progress.job.description)
                json.member("index", progress.index)
                json.member("attempt", progress.attempt)
                json.member("progress", progress.fraction)
                if !progress.text.isEmpty { json.member("text", progress.text) }
            case .output(let output):
                json.member("job", output.job.description)
                json.member("index", output.index)
                json.member("attempt", output.attempt)
                json.member("output", output.text)
                if output.begins { json.member("begins", true) }
                if output.leftOut > 0 { json.member("left_out", output.leftOut) }
            case .finished: break
            }
        }
        if case .finished = update { return }
        write(String(decoding: json.bytes, as: UTF8.self) + "\n", to: .standardOutput)
    }
}
