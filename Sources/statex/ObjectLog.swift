import Glibc
import StatexHandlerAPI
import StatexLog
import StatexObjects
import Synchronization

/// What jobs and the log are told of objects that failed.
enum ObjectLog {
    private static let budget = Mutex(LineBudget())

    /// The error of a job, which its tenant reads: without the store's address and words, which go into the log.
    static func failure(
        _ errorClass: String, _ error: ObjectError, after words: String = "", retryable: Bool = true
    ) -> HandlerError {
        if error.outline != error.description, let left = budget.withLock({ $0.take(at: Int64(time(nil))) }) {
            complain("objects: \(error)" + (left > 0 ? " (and \(left) more)" : ""))
        }
        return HandlerError(errorClass, words + error.outline, retryable: retryable)
    }
}
