import Glibc
import StatexObjects

/// Checks the files of a model directory against its `SHA256SUMS`, in the form of `sha256sum`.
enum ModelSums {
    static let file = "SHA256SUMS"

    static func examine(_ directory: String) -> [Finding] {
        let path = "\(directory)/\(file)"
        guard access(path, F_OK) == 0 else {
            return [
                .warning(
                    "models", "\(directory) has no \(file), so its models cannot be checked",
                    "run in it: sha256sum * > \(file)")
            ]
        }
        let text = String(decoding: ProcessTable.read(path, limit: 1 << 20), as: UTF8.self)
        return text.split(separator: "\n").map { examine(line: $0, in: directory) }
    }

    private static func examine(line: Substring, in directory: String) -> Finding {
        // 64 digits, a space, a space or `*`, the name.
        guard let wanted = SHA256Digest(hex: line.prefix(64)), line.dropFirst(64).hasPrefix(" ") else {
            return .error("models", "\(directory)/\(file) has a line that is no sum", "write it with sha256sum")
        }
        let name = String(line.dropFirst(66))
        do throws(ObjectError) {
            let (found, size) = try SHA256.digest(ofFile: FileDescriptor.open("\(directory)/\(name)", O_RDONLY))
            guard found == wanted else {
                return .error(
                    "model \(name)", "its SHA-256 is \(found), it must be \(wanted)",
                    "install the model again: a handler that loads it may do anything")
            }
            return .ok("model \(name)", "\(size) bytes, as its sum says")
        } catch {
            return .error("model \(name)", error.description, "install the model again")
        }
    }
}
