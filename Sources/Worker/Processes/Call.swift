// One call of a handler: a job, or several that it runs together, and how each of them ended so far.

import StatexHandlerAPI

struct Call {
    let jobs: [Job]
    /// How long each may run, in milliseconds; 0: no limit.
    let limits: [Int]
    private var results: [Result<Payload, HandlerError>?]
    private(set) var unfinished: Int
    private let places: [String: Int]

    init(_ jobs: [Job], _ settings: ProcessSettings) {
        self.jobs = jobs
        limits = jobs.map { job in
            [job.runLimitMilliseconds, settings.runMilliseconds].filter { $0 > 0 }.min() ?? 0
        }
        results = Array(repeating: nil, count: jobs.count)
        unfinished = jobs.count
        places = Dictionary(
            jobs.enumerated().map { ($1.id.description, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// When the last of them must be over. One that must be over before that is told to stop alone.
    var deadline: Deadline {
        guard let longest = limits.max(), !limits.contains(0) else { return .never }
        return .after(milliseconds: longest)
    }

    /// Nothing has come of it yet, so it can begin anew.
    var isUntouched: Bool { unfinished == jobs.count }

    /// The job that a line is about; nil: it is none of this call, or it is over.
    func unfinishedPlace(of id: String) -> Int? {
        guard let place = places[id], results[place] == nil else { return nil }
        return place
    }

    func has(_ id: String) -> Bool { places[id] != nil }

    /// Whether nobody wants any more what is unfinished. One that is not wanted does not stop the others: it is let run.
    var mustStop: Bool {
        zip(jobs, results).allSatisfy { job, result in result != nil || job.cancellation.isCancelled }
    }

    mutating func end(_ place: Int, _ result: Result<Payload, HandlerError>) {
        results[place] = result
        unfinished -= 1
    }

    /// None is unfinished.
    func complete() -> CallEnd {
        CallEnd(results: results.compactMap { $0 }, isProcessSound: true, isEarlierJobsFault: false)
    }

    /// - Parameter error: what those fail with that are unfinished.
    func over(
        isProcessSound: Bool, isEarlierJobsFault: Bool = false, rest error: (Int) -> HandlerError
    ) -> CallEnd {
        let ends = results.indices.map { place in results[place] ?? .failure(error(place)) }
        return CallEnd(results: ends, isProcessSound: isProcessSound, isEarlierJobsFault: isEarlierJobsFault)
    }
}

/// How a call ended: a result for each job, in their order.
struct CallEnd {
    let results: [Result<Payload, HandlerError>]
    /// The process may take another one.
    let isProcessSound: Bool
    /// It failed by what an earlier job left behind, so it does not count: the process ended before it
    /// had read a byte of this call, or said something about another job.
    let isEarlierJobsFault: Bool
}
