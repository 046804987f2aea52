import Logging
import NIOPosix
import StatexKeys
import Synchronization

/// The file that has the keys of tokens, which is read again when it is another one.
package struct TokenFile: Sendable {
    let path: String
    /// How it was before it was read first.
    let stamp: FileStamp?
    let read: @Sendable () throws -> TokenSettings

    /// - Parameter read: what tokens must be by the file as it is then; called first after this.
    package init(_ path: String, read: @escaping @Sendable () throws -> TokenSettings) {
        self.path = path
        self.read = read
        stamp = FileStamp(path)
    }
}

/// Whose tokens and tickets are believed, now: keys are exchanged while the gateway runs. A file that cannot be used
/// changes nothing: keys that were to go stay, and log and metrics say so.
final class TokensInForce: Sendable {
    let tickets: TicketOffice
    private let file: TokenFile?
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var verifier: TokenVerifier
        /// How the file was when it was last read, well or not.
        var seen: FileStamp?
        var isRefused = false
    }

    /// - Parameter file: nil: the keys are never exchanged.
    init(
        _ settings: TokenSettings, file: TokenFile? = nil, used: UsedTickets = UsedTickets(), logger: Logger
    ) async throws(TokenKeyError) {
        self.file = file
        self.logger = logger
        tickets = try await TicketOffice(settings, used: used)
        state = Mutex(State(verifier: try await TokenVerifier(settings), seen: file?.stamp))
    }

    var verifier: TokenVerifier { state.withLock { $0.verifier } }

    /// The file is another one than the keys in force are of, and cannot be used.
    var isRefused: Bool { state.withLock { $0.isRefused } }

    /// Reads the file, if it is another one. Called by one at a time.
    func look() async {
        guard let file else { return }
        let seen = state.withLock { $0.seen }
        let found: (stamp: FileStamp?, settings: Result<TokenSettings, any Error>)?
        // Not on a thread that answers requests: it waits for no disk.
        found = try? await NIOThreadPool.singleton.runIfActive {
            // The stamp first: what is written meanwhile is found at the next look.
            let stamp = FileStamp(file.path)
            return stamp == seen ? nil : (stamp, Result { try file.read() })
        }
        guard let found else { return }
        do {
            let settings = try found.settings.get()
            let verifier = try await TokenVerifier(settings)
            try await tickets.exchange(settings)
            state.withLock { $0 = State(verifier: verifier, seen: found.stamp) }
            logger.notice("the keys of tokens were exchanged")
        } catch {
            state.withLock { state in
                state.seen = found.stamp
                state.isRefused = true
            }
            logger.warning("the keys of tokens that were exchanged are not used, the old ones are: \(error)")
        }
    }
}
