// The job's payload and inputs as files in the private directory: whatever its size, a handler reads a file.

import CLinux
import Glibc
import StatexHandlerAPI

/// Writes the payload to a file below `path`, and what the job takes from others beside it.
/// - Returns: their sizes.
func putContent(of job: Job, _ names: ContentNames, in path: String, _ settings: ProcessSettings) throws(HandlerError)
    -> ContentSizes
{
    var sizes = ContentSizes(payload: try put(job.payload, names.payload, in: path, settings))
    for input in job.inputs { sizes.inputs.append(try put(input.payload, names.input(input), in: path, settings)) }
    return sizes
}

struct ContentSizes {
    var payload: Int
    /// By the place of the input.
    var inputs: [Int] = []
}

private func put(_ payload: Payload, _ name: String, in path: String, _ settings: ProcessSettings) throws(HandlerError)
    -> Int
{
    let target = try create(name, below: path)
    let limit = settings.limits.diskBytes
    switch payload {
    case .bytes(let bytes):
        try check(bytes.count, limit)
        try write(bytes, to: target)
        return bytes.count
    case .object(let reference):
        let source = Descriptor(owning: try settings.openObject(reference))
        var status = stat()
        guard fstat(source.number, &status) == 0 else { throw failure("fstat") }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw HandlerError(.payload, "the object is not a regular file", retryable: false)
        }
        try check(Int(status.st_size), limit)
        return try copy(source, to: target, atMost: limit)
    }
}

private func check(_ size: Int, _ limit: Int) throws(HandlerError) {
    guard limit > 0, size > limit else { return }
    throw HandlerError(
        .payload, "the payload has \(size) bytes, the handler's disk limit is \(limit)", retryable: false)
}

/// A new file, never one that is there already: the directory is the handler's, which may have left a link.
private func create(_ name: String, below path: String) throws(HandlerError) -> Descriptor {
    let directory = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard directory >= 0 else { throw failure("open") }
    defer { close(directory) }
    let file = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure("openat") }
    let descriptor = Descriptor(owning: file)
    // Readable for the handler's user whatever this process's umask; the directory is closed to others.
    guard fchmod(file, 0o644) == 0 else { throw failure("fchmod") }
    return descriptor
}

private func write(_ bytes: [UInt8], to file: Descriptor) throws(HandlerError) {
    guard file.write(bytes, until: .never) else { throw failure("write") }
}

/// Shares the blocks, or lets the kernel copy them, or copies them, as the file systems allow.
private func copy(_ source: Descriptor, to target: Descriptor, atMost limit: Int) throws(HandlerError) -> Int {
    var total = 0
    while limit == 0 || total <= limit {
        let count = clinux_copy_file_range(source.number, target.number, 1 << 30)
        if count == 0 { return total }
        if count < 0 {
            if errno == EINTR { continue }
            guard total == 0, errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP else {
                throw failure("copy_file_range")
            }
            break
        }
        total += count
    }
    while limit == 0 || total <= limit {
        guard let bytes = source.read(atMost: 1 << 20), !bytes.isEmpty else { return total }
        try write(bytes, to: target)
        total += bytes.count
    }
    throw HandlerError(.payload, "the object grew beyond the handler's disk limit of \(limit) bytes", retryable: false)
}

private func failure(_ call: StaticString) -> HandlerError {
    HandlerError(.payload, "cannot hand over the payload: \(SystemError(call))")
}
