import StatexClient
import StatexKeys
import StatexOTLP
import StatexReads
import StatexTracing

/// What a gateway is told. Limits that are no settings stand in `GatewayLimits`.
package struct GatewaySettings: Sendable {
    /// A literal address or a name of this machine.
    package var host: String
    /// 0: a free one.
    package var port: Int
    /// nil: it speaks HTTP without TLS.
    package var tls: ServerCertificate?
    package var tokens: TokenSettings
    /// The file with their keys; nil: they are never exchanged.
    package var tokenFile: TokenFile?
    /// Where the scheduler takes submits.
    package var submitEndpoint: String
    /// Where the scheduler publishes events.
    package var eventsEndpoint: String
    /// The gateway's key and the scheduler's public one, where these are `tcp://`.
    package var keys: PeerKeys?
    /// The journal, as a libpq URL.
    package var journalURL: String
    /// Folders and buckets of objects; none: those that the scheduler names.
    package var objects: [String]?
    /// How buckets are reached.
    package var s3 = S3Access()
    package var largestObject: Int
    /// The largest JSON body.
    package var bodyLimit: Int
    /// What bodies and fields of forms have in memory together; at least four bodies' worth. Each takes up to three times
    /// what it has: as it came, as it was read, and as it is sent on.
    package var bodyMemory = 64 << 20
    /// The largest form with all its files.
    package var uploadLimit = 1 << 30
    /// Event streams that a subject may have open at once.
    package var streamsPerSubject: Int
    /// Requests of one subject.
    package var requestsPerSecond = 1_000
    /// How many workers a kind needs.
    package var scale = ScaleRule()
    /// Who is told when requests end.
    package var webhooks = WebhookSettings()
    /// Where spans of submits go; nil: none are recorded. And who sends them away.
    package var spans: SpanQueue?
    package var exporter: SpanExporter?
    /// The share of requests without a trace that begin one.
    package var sampling = 1.0

    package init(
        host: String, port: Int, tokens: TokenSettings, submitEndpoint: String, eventsEndpoint: String,
        journalURL: String, largestObject: Int = 256 << 20, bodyLimit: Int = 4 << 20, streamsPerSubject: Int = 100
    ) {
        self.host = host
        self.port = port
        self.tokens = tokens
        self.submitEndpoint = submitEndpoint
        self.eventsEndpoint = eventsEndpoint
        self.journalURL = journalURL
        self.largestObject = largestObject
        self.bodyLimit = bodyLimit
        self.streamsPerSubject = streamsPerSubject
    }
}

/// What strangers may make the gateway hold or wait for; each with its reason.
enum GatewayLimits {
    /// All header fields of a request together, and one: a token and what browsers send have 10 KiB.
    static let headerBytes = 32 << 10
    static let headerFieldBytes = 16 << 10
    static let headerFields = 100
    /// Subjects whose rate is known: 2 MiB. Those beyond share one.
    static let subjects = 10_000
    /// Tickets of a subject that are remembered once they were used, for a minute and a half: half a hundred a second. Or
    /// as many as it may have streams.
    static let ticketsOfSubject = 5_000
    /// And of all: 16 MiB.
    static let tickets = 100_000
    /// How often the file with the keys of tokens is looked at: as often as those of the certificate.
    static let tokenPause = Duration.seconds(10)
    /// Connections at once: 1,000 listeners of two browsers' worth; each costs about 50 KiB.
    static let connections = 4_096
    /// A connection that neither finishes a head nor asks anything for so long is closed: slow headers too.
    static let idleSeconds = 30
    /// A body must come at so many bytes a second, measured in pieces of so many seconds: slower than any phone.
    static let bodyBytesPerSecond = 4 << 10
    static let bodyWindowSeconds = 10
    /// What of each body counts for nobody: more than most submits have. Connections bound it, at 32 MiB.
    static let bodyFreeBytes = 8 << 10
    /// Bodies beyond this are read one after the other: some milliseconds each.
    static let bodyReadAlone = 256 << 10
    /// An answer of which nothing is taken for so long (32 KiB of what waits here, behind what the system holds) ends.
    static let untakenSeconds = 60
    /// Contents that a subject is sent at once: each that is not taken holds 0.3 MB.
    static let downloadsOfSubject = 64
    /// How much of a body is read and thrown away after it was refused: most senders read nothing before they have sent
    /// everything.
    static let unwantedBytes = 64 << 20
    /// Forms that are taken in at once: each holds `uploadPiece` and what is on its way, half a MiB.
    static let uploads = 64
    /// And of one subject: a browser opens six connections.
    static let uploadsOfSubject = 16
    /// Files and fields of one form: as many files as the page takes, twice. Each costs three waits for the disk.
    static let uploadParts = 200
    /// What is written to a file at once: past that, larger writes gain nothing over the hash.
    static let uploadPiece = 256 << 10
    /// From its first byte to its last: the files that came first are only safe from a sweep for a day.
    static let uploadTime = Duration.seconds(6 * 3_600)
    /// Threads that wait for disks and object stores.
    static let objectThreads = 16
    /// How long a submit or an order waits for a scheduler that is busy or away.
    static let patience = Duration.seconds(5)
    /// How long the scheduler is asked why jobs wait: they are shown without that rather than late.
    static let explainPatience = Duration.seconds(1)
    /// And of how many jobs a second.
    static let explainsPerSecond = 2_000
    /// How long one page of a list is looked for.
    static let listPatience = Duration.milliseconds(50)
    static let listLength = 50
    static let listMaximum = 1_000
    /// Dead letters that one look groups at most.
    static let lettersInGroups = 10_000
    /// Open jobs of a tenant that are counted at most, and for how long: a full page of ids takes 55 ms.
    static let openJobs = 1_000
    static let openJobsPatience = Duration.milliseconds(250)
    /// How long the dead letters of one order are looked for: all orders of a moment, each on one of the threads that
    /// read, hold lists up no longer than this.
    static let letterPatience = Duration.milliseconds(500)
    /// Dead letters that one order reaches, orders at once, and how long one is waited for.
    static let lettersInOrder = 100_000
    static let letterOrders = 8
    /// And of one subject: one that takes long, and one beside it.
    static let letterOrdersOfSubject = 2
    /// An order that would take longer is refused: nobody can stop one, and it keeps others out.
    static let letterOrderSeconds = 3_600
    static let orderPatience = Duration.seconds(5)
    /// What a filter may say, in bytes.
    static let filterBytes = 256
    /// How long an answer about readiness is good for: a look costs the scheduler something.
    static let readinessAge = Duration.seconds(1)
    /// How long such a look waits for either: who asks has given up soon after.
    static let readinessPatience = Duration.seconds(2)
    /// What a stream of a request or a job may be behind, in bytes: of a phone in a tunnel some minutes.
    static let streamBytes = 512 << 10
    /// A stream of everything: its first second at half a million events is 3,250 of 250 bytes before it is thin enough.
    static let streamBytesOfEverything = 1 << 20
    /// How long a scheduler is waited for that is to say where its events stand: it does so at once, if it is there.
    static let firstWord = Duration.seconds(1)
    /// What was missed is read in the journal for so long; then streams are told of a gap, and hear again what happens
    /// now.
    static let secondsBehind: Int64 = 30
    /// A stream of everything shows so many events a second as they are, of more a part.
    static let streamEventsPerSecond = 1_000
    /// Proxies close what is silent for a minute, the page what is silent for as long.
    static let heartbeat = Duration.seconds(10)
    /// A stream outlives the token that opened it no longer than this.
    static let streamLifetime = Duration.seconds(3_600)
    /// How long the last event of a stream waits for what its jobs still put out.
    static let lastOutput = Duration.seconds(5)
    /// How long a client may take for the last of it.
    static let streamEnd = Duration.seconds(60)
    /// How long the subscription to the scheduler is kept when nobody listens.
    static let hubLinger = Duration.seconds(30)
    /// What a stream missed is read in the journal: so many commits of a request or a job, so many parts (of 20,000
    /// rows or 2,000 commits) of everything; what is more is told as a gap.
    static let replayCommits = 64
    static let replayParts = 5
    static let replaysAtOnce = 2
    /// Those that wait for that, and of one subject: after a restart all of its 100 streams come again.
    static let replays = 512
    static let replaysOfSubject = 128
    /// How long what was read of a request or a job is good for while nothing is heard of it, and where all of its jobs
    /// are final or wait for their time; of how many rows it is remembered (of requests, of jobs, of why they wait: a row
    /// has about 1 KiB), and of one request at most.
    static let statusAge = Duration.seconds(10)
    static let settledAge = Duration.seconds(60)
    static let statusRows = 20_000
    static let statusRowsOfRequest = RequestRecord.looksMost
    /// How often memory that is not used is given back: some milliseconds of work for some ten megabytes.
    static let memoryPause = Duration.seconds(10)
    /// How long what is under way may go on when the gateway ends.
    static let drain = Duration.seconds(10)
}
