import Dispatch
import StatexHandlerAPI
import StatexObjects
import StatexProtocol
import StatexThreads
import StatexWorkerCore

/// One concurrent execution: lets a handler run, on a thread that it may block, and says how it ended.
final class HandlerSlot: Sendable {
    private let index: Int
    private let handlers: [any Handler]
    private let objects: ObjectFolder?
    private let letters: Mailbox<Letter>
    private let executor = QueueExecutor()

    init(_ index: Int, _ handlers: [any Handler], objects: ObjectFolder?, letters: Mailbox<Letter>) {
        self.index = index
        self.handlers = handlers
        self.objects = objects
        self.letters = letters
    }

    /// - Parameter kind: the handler's place.
    func run(_ job: Job, kind: Int) {
        Task(executorPreference: executor) { [index, handlers, objects, letters] in
            let end: AttemptEnd
            do {
                end = try AttemptEnd(result: await handlers[kind].run(job), objects: objects)
            } catch {
                end = AttemptEnd(error)
            }
            letters.put(.ended(slot: index, end))
        }
    }
}

/// A thread for one slot, while it has something to run.
private final class QueueExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "statex-twin-slot")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// What a handler's result or error becomes, by the rules that a worker has for them.
struct AttemptEnd: Sendable {
    private(set) var ending = Ending.succeeded
    private(set) var encoding = Encoding.bytes
    private(set) var body: [UInt8]
    private(set) var retryable = false
    private(set) var retryAfterMilliseconds: UInt32 = 0

    init(result: Payload, objects: ObjectFolder?) throws(HandlerError) {
        switch result {
        case .bytes(let bytes) where bytes.count <= Limits.inlineBytes:
            body = bytes
        case .bytes(let bytes):
            guard let objects else {
                throw HandlerError(
                    "result_too_large",
                    "the result has \(bytes.count) bytes, inline go \(Limits.inlineBytes), and there is no object folder",
                    retryable: false)
            }
            do { body = try objects.put(bytes).text } catch { throw HandlerError("objects", "\(error)") }
            encoding = .object
        case .object(let reference):
            guard (1...Limits.referenceBytes).contains(reference.count) else {
                throw HandlerError(
                    "bad_reference",
                    "the result's object reference has \(reference.count) bytes, it takes 1 to \(Limits.referenceBytes)",
                    retryable: false)
            }
            body = reference
            encoding = .object
        }
    }

    init(_ error: any Error) {
        let error = error as? HandlerError ?? HandlerError("error", "\(error)")
        ending = .failed
        retryable = error.retryable
        retryAfterMilliseconds = UInt32(clamping: error.retryAfterMilliseconds ?? 0)
        let text = ErrorText(
            Self.errorClass(error.errorClass), Self.text(error.message, limit: Limits.errorMessageBytes))
        var buffer = ByteBuffer(capacity: text.length)
        text.write(to: &buffer)
        body = buffer.array()
    }

    private static func errorClass(_ name: String) -> String {
        let bytes = name.utf8.prefix(Limits.errorClassBytes).map { byte in
            switch Character(UnicodeScalar(byte)) {
            case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-": byte
            default: UInt8(ascii: "_")
            }
        }
        return bytes.isEmpty ? "error" : String(decoding: bytes, as: UTF8.self)
    }

    /// Text as the protocol takes it: no NUL, and cut to so many bytes between two characters.
    static func text(_ text: String, limit: Int) -> String {
        var result = String.UnicodeScalarView()
        var length = 0
        for scalar in text.unicodeScalars {
            let scalar = scalar.value == 0 ? "\u{FFFD}" : scalar
            length += UTF8.width(scalar)
            guard length <= limit else { break }
            result.append(scalar)
        }
        return String(result)
    }
}
