/// Why a worker could not start, or had to end.
public enum WorkerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// An argument is out of its range; the text names it, the limit and what to do.
    case argument(String)
    /// The scheduler does not want this worker: it speaks another version.
    case refused(String)
    /// The drain's limit passed before the scheduler said that these outcomes are durable. Their jobs
    /// run again elsewhere.
    case undelivered(outcomes: Int)
    case system(String)

    public var description: String {
        switch self {
        case .argument(let text), .system(let text): text
        case .refused(let text): "the scheduler refused this worker: \(text)"
        case .undelivered(let outcomes):
            "\(outcomes) outcomes were not known to be durable when the limit passed; their jobs will run again"
        }
    }
}
