import ArgumentParser
import StatexConfiguration
import StatexGateway
import StatexProtocol

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make a bearer token for the gateway.",
        discussion: """
            Of the secret in gateway_tokens (HS256), or without one of the development secret in data_dir. It is \
            printed alone, so that a script can take it: curl -H "Authorization: Bearer $(statex token)". Exits 2 when \
            the gateway believes an identity provider's keys: then that makes the tokens.
            """)

    @Option(help: "What it allows: submit, read or operate; repeatable (default: submit and read).")
    var scope: [Scope] = [.submit, .read]
    @Option(help: "The only tenant that it sees (default: all).") var tenant: String?
    @Option(
        help: """
            Who has it, for the audit trail; rates, streams and uploads are counted by it (default: the tenant's name, \
            or statex).
            """)
    var subject: String?
    @Option(help: ArgumentHelp("How long it is good for: 90s, 15m, 2h, 1d.", valueName: "time"))
    var expires = Span(seconds: 3_600)
    @Option(help: "The folder of the statex up whose secret is meant (key data_dir).") var dataDir: String?
    @OptionGroup var options: ConfigurationOptions

    func validate() throws {
        guard tenant.map({ (1...Limits.nameBytes).contains($0.utf8.count) }) ?? true else {
            throw ValidationError("--tenant takes 1 to \(Limits.nameBytes) bytes")
        }
        guard (1...100).contains(holder.utf8.count) else {
            throw ValidationError(
                "--subject takes 1 to 100 bytes" + (subject == nil ? ": the tenant's name is longer, so give one" : ""))
        }
        guard expires.duration >= .seconds(1), expires.duration <= .seconds(366 * 86_400) else {
            throw ValidationError("--expires takes 1s to 366d")
        }
    }

    /// Of a tenant's tokens the tenant: others are to have rates and streams of their own.
    private var holder: String { subject ?? tenant ?? "statex" }

    func run() async throws {
        let settings = try options.load(["data_dir": dataDir]).gatewayTokens {
            complain("made a new secret, \($0): a gateway that runs with another data_dir does not believe this token")
        }
        do {
            print(
                try await TokenMaker(settings).token(
                    .init(subject: holder, scopes: Set(scope), tenant: tenant, lifetime: expires.duration)))
        } catch {
            throw ending(.usage, "gateway_tokens: \(error)")
        }
    }
}

extension Scope: ExpressibleByArgument {}
