// Looks at a machine before Statex runs on it, or while it does. Changes nothing.

import Glibc
import StatexConfiguration

package struct Doctor: Sendable {
    let configuration: Configuration
    let ignoredVariables: [String]
    let environment: [String: String]
    /// Of statex and of libraries that this room does not know, by name.
    let versions: [(name: String, version: String)]
    /// What became of starting the handlers here, of their isolation, and of asking the object stores.
    let others: [Finding]

    package init(
        _ loaded: LoadedConfiguration, environment: [String: String], versions: [(name: String, version: String)],
        others: [Finding] = []
    ) {
        configuration = loaded.configuration
        ignoredVariables = loaded.ignoredVariables
        self.environment = environment
        self.versions = versions
        self.others = others
    }

    package func examine() -> [Finding] {
        examineVersions() + examineConfiguration() + examineKernel() + examineLimits() + examineClock()
            + examineDataDirectory()
            + examineDatabase() + examineHandlers() + others
    }

    private func examineVersions() -> [Finding] {
        var system = utsname()
        uname(&system)
        let kernel = withUnsafeBytes(of: system.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return versions.map { .ok($0.name, $0.version) } + [.ok("kernel", kernel)]
    }

    private func examineConfiguration() -> [Finding] {
        var findings: [Finding] = []
        if !ignoredVariables.isEmpty {
            findings.append(
                .warning(
                    "environment", "\(ignoredVariables.joined(separator: ", ")) name no key and are ignored",
                    "see config/statex.yaml for the keys, or unset them"))
        }
        for (key, endpoint) in [
            ("submit_endpoint", configuration.submitEndpoint), ("worker_endpoint", configuration.workerEndpoint),
            ("events_endpoint", configuration.eventsEndpoint),
        ] {
            do throws(BindError) {
                try checkBind(
                    endpoint: endpoint, hasKeys: configuration.serverKey != nil, creatingDirectory: false)
                findings.append(.ok(key, endpoint))
            } catch {
                findings.append(.error(key, error.description, "set \(key)"))
            }
        }
        return findings
    }

    // MARK: Handlers

    private func examineHandlers() -> [Finding] {
        var findings: [Finding] = []
        for handler in configuration.handlers {
            let name = "handler \(handler.kind)"
            switch handler.runner {
            case .process(let process): findings.append(examineProgram(name, process.command.first ?? ""))
            case .http(let http):
                do throws(ConfigurationError) {
                    _ = try http.key?.read(environment: environment)
                    findings.append(
                        .ok(name, "\(http.url)\(http.path), \(http.key == nil ? "without a key" : "with a key")"))
                } catch {
                    findings.append(.error(name, error.description, "give the key, or take the handler out"))
                }
            }
        }
        return findings
    }

    private func examineProgram(_ name: String, _ program: String) -> Finding {
        guard let path = find(program) else {
            return .error(
                name, "\(program) is not a program that we may run, nor in PATH", "install it, or set its path")
        }
        return .ok(name, path)
    }

    private func find(_ program: String) -> String? {
        let candidates =
            program.contains("/")
            ? [program] : (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(program)" }
        return candidates.first { path in
            var status = stat()
            return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
        }
    }
}
