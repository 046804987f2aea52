// `statex up` with stand-ins for the scheduler, the workers and the gateway, as a process of its own: the tests
// send it signals and kill it.
//
//     StackHost up DATA_DIR READY_FILE WORKERS [KEY=VALUE…]
//
// As `StackHost scheduler …`, `StackHost worker …` and `StackHost gateway …` it is the stand-in: it notes what happens in
// $STAND_IN/events, announces itself, and waits for SIGTERM. Files there change what it does:
// ROLE.exit holds an exit code to end with at once, ROLE.mute keeps it from announcing itself,
// ROLE.stubborn makes it ignore SIGTERM, ROLE.after holds a code to exit with on SIGUSR1.

import Foundation
import StatexConfiguration
import StatexStack

let arguments = CommandLine.arguments
let environment = ProcessInfo.processInfo.environment

/// At once, not when a buffer is full.
func say(_ text: String) { FileHandle.standardOutput.write(Data((text + "\n").utf8)) }

if arguments.count >= 5, arguments[1] == "up" {
    var sources = ConfigurationSources(environment: environment)
    sources.setFlag("data_dir", key: "data_dir", to: arguments[2])
    sources.setFlag("workers", key: "workers", to: arguments[4])
    sources.setFlag("gateway", key: "gateway", to: "off")
    for setting in arguments.dropFirst(5) {
        let parts = setting.split(separator: "=", maxSplits: 1).map(String.init)
        sources.setFlag(parts[0], key: parts[0], to: parts[1])
    }
    do {
        let stack = Stack(
            configuration: try LoadedConfiguration.load(sources).configuration,
            program: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
            readyFile: arguments[3],
            environment: sources.environmentWithFlags)
        try stack.run { say($0) }
    } catch let error as StackError {
        say("failed: \(error)")
        exit(error.exitCode)
    } catch {
        say("failed: \(error)")
        exit(1)
    }
    say("stopped")
    exit(0)
}

let role = arguments[1]
let folder = environment["STAND_IN"] ?? "/nowhere"

func note(_ text: String) {
    let file = open(folder + "/events", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o600)
    let line = Array("\(role) \(text)\n".utf8)
    write(file, line, line.count)
    close(file)
}

func exists(_ name: String) -> Bool { access("\(folder)/\(role).\(name)", F_OK) == 0 }
func code(_ name: String) -> Int32? {
    (try? String(contentsOfFile: "\(folder)/\(role).\(name)", encoding: .utf8)).flatMap { Int32($0) }
}

var signals = sigset_t()
sigemptyset(&signals)
sigaddset(&signals, SIGTERM)
sigaddset(&signals, SIGUSR1)
sigaddset(&signals, SIGHUP)
pthread_sigmask(SIG_BLOCK, &signals, nil)

note(
    "started \(getpid()) database=\(environment["STATEX_DATABASE"] ?? "none") \(arguments.dropFirst(2).joined(separator: " "))"
)
if let code = code("exit") { exit(code) }
let probes = environment["STATEX_\(role.uppercased())_PROBES"].map { [$0] } ?? []
if !exists("mute") { announceReady(role == "gateway" ? ["http://stand.in:1", "token"] : probes) }
while true {
    var signal: Int32 = 0
    sigwait(&signals, &signal)
    if signal == SIGUSR1, let code = code("after") { exit(code) }
    if signal == SIGTERM, !exists("stubborn") { break }
    note("ignored \(signal)")
    say("\(role) ignored \(signal)")
}
note("stopped \(getpid())")
