/// Every bound of the protocol, with its reason. A peer that passes one gets an error that names it.
public enum Limits {
    /// Inline payload, result or error of one job, in bytes. Larger ones are objects: a commit of a
    /// thousand jobs stays under 64 MiB, and Postgres keeps rows without large-object detours.
    public static let inlineBytes = 65_536
    /// The JSON text of an object reference, in bytes: a URL of 2,048, a sum, a size.
    public static let referenceBytes = 4_096
    /// Jobs of one request: what one page of ids holds.
    public static let jobsInRequest = 4_096
    /// Who waits for whom in one request, in all: every job of the largest one behind one job and before
    /// another, twice; 32 KiB of memory.
    public static let dependenciesInRequest = 16_384
    /// Results of other jobs that one job takes as input: at 64 KiB each they fit a message beside others.
    public static let inputs = 32
    /// Jobs, leases or outcomes in one message: past about 1,000 a larger batch gains nothing.
    public static let recordsInMessage = 4_096
    /// Jobs and requests that one session asks about and has no answer for yet: 8 MiB of the scheduler's memory. A
    /// client that comes back asks for all that it waits for at once.
    public static let awaits = 262_144
    /// One message, in bytes. The largest legal single record fits 60 times.
    public static let messageBytes = 4 << 20
    /// Kinds, tenants, names of workers, in UTF-8 bytes.
    public static let nameBytes = 128
    /// Names in one message's table.
    public static let namesInMessage = 1_024
    /// A user's idempotency key, in bytes.
    public static let userKeyBytes = 255
    /// The longest time in which a request may be the only one of its unique key: 30 days.
    public static let uniqueSeconds = 2_592_000
    /// Options of one job, in bytes.
    public static let optionsBytes = 4_096
    /// Kinds that one worker serves.
    public static let kindsInWorker = 256
    /// Labels that a job requires, and that a worker has; a label in bytes.
    public static let labels = 8
    public static let labelsInWorker = 64
    public static let labelBytes = 64
    /// What one worker has amounts of, and what a kind needs; their names are as long as labels.
    public static let resourcesInWorker = 16
    /// The key that a job is best run with, in bytes.
    public static let affinityBytes = 64
    /// Slots of one worker.
    public static let slots = 4_096
    /// Jobs that one worker may hold, slots and prefetch together.
    public static let credit = 65_536
    /// Jobs that a handler runs in one call: what a model computes at once is far less.
    public static let jobsInBatch = 1_024
    /// How long a job waits for others to be run with, at most: a job that waits longer is better run alone.
    public static let batchWaitMilliseconds = 10_000
    /// Priorities are 0 (first) to 9 (last).
    public static let priorities = 10
    public static let defaultPriority = 5
    /// Attempts that a job may ask for.
    public static let attempts = 100
    public static let defaultAttempts = 3
    /// The class of an error, in bytes.
    public static let errorClassBytes = 64
    /// The message of an error that a handler reports, in bytes, after cutting.
    public static let errorMessageBytes = 4_096
    /// A reason or a detail in a message, in bytes.
    public static let textBytes = 16_384
    /// Ids that one order of an operator names, and open jobs that one may reach: more are reached by
    /// further orders, so that no commit grows with the backlog.
    public static let idsInOrder = 1_000
    public static let orderReach = 10_000
    /// Why an operator orders something, in bytes.
    public static let noteBytes = 1_000
    /// Sequences of one producer that are remembered at least: a producer may have this many
    /// requests unanswered.
    public static let producerWindow = 65_536
    /// Different worker incarnations that a job may be lost with before it is `dead`: if in the last of them nothing else
    /// had begun, and otherwise.
    public static let losses = 3
    public static let lossesBesideOthers = 6
    /// How long a job that was lost so often but once has an empty worker for itself, in milliseconds: twice as long as it
    /// had run when it was lost, in these bounds.
    public static let aloneMilliseconds: ClosedRange<Int64> = 10_000...60_000
    /// What a handler says about how far it is, in bytes, after cutting.
    public static let progressTextBytes = 4_096
    /// What an attempt hands over for the next one, in bytes: as much as a payload, for the same reason.
    public static let checkpointBytes = 65_536
    /// Messages of the event stream that wait for one subscriber, about a second of a busy scheduler; later
    /// ones are dropped for it.
    public static let queuedEventMessages = 256
    /// How often the event stream says where it stands.
    public static let eventBeatMilliseconds = 1_000
    /// Journals of before a restore that a scheduler knows its peers to have believed: each is an operator's work.
    public static let formerJournals = 64
}
