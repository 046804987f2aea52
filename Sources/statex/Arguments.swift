import Glibc

/// The arguments as the shell gave them, before they are parsed.
enum Arguments {
    /// Swift repairs what is not UTF-8 without a word, so another text would be submitted than was given.
    /// - Parameter words: without the program's name.
    /// - Returns: what is wrong; nil: nothing.
    static func fault(in words: [[UInt8]]) -> String? {
        guard let place = words.firstIndex(where: { String(validating: $0, as: UTF8.self) == nil }) else { return nil }
        let word = words[place]
        // `--text VALUE`, or `--text=VALUE`.
        let before = place > 0 ? words[place - 1] : []
        let name = word.starts(with: "--".utf8) ? word.prefix { $0 != UInt8(ascii: "=") } : before[...]
        let option = name.starts(with: "--".utf8) ? String(validating: name, as: UTF8.self) : nil
        return "\(option.map(printable) ?? "argument \(place + 1)"): the value is not valid UTF-8; "
            + "give bytes that are no text as a file"
    }

    /// What follows the program's name.
    static var raw: [[UInt8]] {
        (1..<max(Int(CommandLine.argc), 1)).compactMap { place in
            // The kernel gives argc pointers to texts that end with NUL; they live as long as the process.
            CommandLine.unsafeArgv[place].map { Array(UnsafeRawBufferPointer(start: $0, count: strlen($0))) }
        }
    }
}
