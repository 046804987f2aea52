import Glibc
import StatexClient
import StatexObjects

/// A file that the user named, looked at before anything is done with it.
struct InputFile {
    private let path: String
    private let option: String
    private let isSmall: Bool

    init(_ path: String, option: String, limit: UInt64) throws {
        self.path = path
        self.option = option
        let size: UInt64
        do throws(ObjectError) { size = try FileDescriptor.open(path, O_RDONLY).regularFileSize() } catch {
            throw ending(.usage, "\(option) \(printable(path)): \(error.ofFile)")
        }
        guard size <= limit else {
            throw ending(
                .usage,
                "\(option) \(printable(path)): it has \(size) bytes, the limit (max_object_bytes) is \(limit); "
                    + "raise it with --set max_object_bytes=SIZE, or split the file")
        }
        isSmall = size <= Limits.inlineBytes
    }

    /// A small file travels in the message, a larger one by reference; it is never read whole into memory.
    func payload(_ client: Client) async throws -> Payload {
        guard isSmall else {
            return try await asClient { () throws(ClientError) in try await client.store(file: path) }
        }
        do throws(ObjectError) {
            return .bytes(try FileDescriptor.open(path, O_RDONLY).readAll(limit: Limits.inlineBytes))
        } catch {
            throw ending(.usage, "\(option) \(printable(path)): \(error.ofFile)")
        }
    }
}

extension ObjectError {
    /// Said of a file that is no object yet.
    fileprivate var ofFile: String {
        switch self {
        case .notRegular: "it is not a regular file"
        case .tooLarge(let size, let limit): "it has \(size) bytes by now, more than \(limit)"
        default: description
        }
    }
}
