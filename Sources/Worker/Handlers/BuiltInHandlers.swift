// The handlers that ship: Python programs that read text, audio and files. Their programs stand beside
// the executable; an operator names another Python or other models by configuration.

import Glibc
import StatexHandlerAPI
import StatexProcesses

/// Where what the built-in handlers need is on this machine.
package struct Installation: Sendable {
    /// The directory of the Python programs.
    package var programs: String
    /// The `statex-launch` executable.
    package var launcher: String
    /// The Python that has their libraries.
    package var python: String
    /// The directory of models.
    package var models: String

    /// Looks beside the executable, and for Python and models (where the operator named none) in the
    /// checkout that the executable was built in: `.venv` and `.models`, as `scripts/setup` makes them.
    package init(executable: String, python: String?, models: String?) {
        let directory = Self.parent(executable)
        programs = directory + "/statex_StatexHandlers.resources/python"
        launcher = directory + "/statex-launch"
        self.python = python ?? Self.find(".venv/bin/python3", above: directory) ?? "/usr/bin/python3"
        self.models = models ?? Self.find(".models", above: directory) ?? directory + "/models"
    }

    /// The nearest place up the path, at most five steps: `.build/PLATFORM/release` has three.
    private static func find(_ name: String, above directory: String) -> String? {
        var place = directory
        for _ in 0..<5 {
            let path = place + "/" + name
            if access(path, R_OK) == 0 { return path }
            place = parent(place)
        }
        return nil
    }

    private static func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}

package enum BuiltInHandlers {
    /// Kinds, with what each may use. Measured: the audio model takes 275 MB, the embedding 100 MB,
    /// a dense page under OCR 200 MB.
    package static let kinds = ["text", "audio", "file"]

    /// - Parameters:
    ///   - processes: how many of each kind run at the same time: the worker's slots.
    ///   - environment: of the worker; the `STATEX_` variables that concern handlers are passed on.
    package static func settings(
        _ kind: String, _ place: Installation, scratch: String, processes: Int, environment: [String: String]
    ) -> ProcessSettings {
        var settings = ProcessSettings(
            kind: kind, program: [place.python, "-s", "-B", "\(place.programs)/\(kind).py"], launcher: place.launcher,
            scratchRoot: scratch)
        settings.processes = processes
        settings.readPaths = [place.programs, place.models, prefix(ofPython: place.python)]
        settings.environment = [
            "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
            // The libraries otherwise take every core, each.
            "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1",
            // One thread computes at a time; an arena for each that ever allocated keeps memory that nobody uses.
            "MALLOC_ARENA_MAX": "1", "STATEX_MODELS": place.models,
        ]
        for (name, value) in environment where passesOn(name) { settings.environment[name] = value }
        return settings
    }

    private static func passesOn(_ name: String) -> Bool {
        ["STATEX_AUDIO_", "STATEX_FILE_", "STATEX_OCR_", "STATEX_TEXT_", "STATEX_MODEL_SUMS"].contains {
            name.hasPrefix($0)
        }
    }

    /// The directory that holds a Python and its libraries: two above the program.
    private static func prefix(ofPython python: String) -> String {
        let parts = python.split(separator: "/").dropLast(2)
        return "/" + parts.joined(separator: "/")
    }
}
