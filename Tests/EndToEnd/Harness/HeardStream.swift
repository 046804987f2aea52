import Foundation
import FoundationNetworking
import Synchronization

/// A stream of server-sent events, read as it comes.
final class HeardStream: NSObject, URLSessionDataDelegate, Sendable {
    struct Event: Sendable {
        var id: String?
        var name: String
        var data: String

        func member(_ name: String) -> String? {
            (try? JSONSerialization.jsonObject(with: Data(data.utf8)) as? [String: Any])?[name] as? String
        }
    }

    private struct State {
        var text = ""
        var events: [Event] = []
        var status = 0
        var isOver = false
    }

    private let state = Mutex(State())
    private let news: AsyncStream<Void>
    private let tell: AsyncStream<Void>.Continuation

    /// - Parameter after: what is said as Last-Event-ID.
    init(_ visitor: GatewayVisitor, _ path: String, after: String? = nil, withToken: Bool = true) throws {
        (news, tell) = AsyncStream.makeStream()
        super.init()
        guard let place = URL(string: visitor.url + path) else { throw HarnessError("\(path) is no path") }
        var request = URLRequest(url: place, timeoutInterval: 60)
        if withToken { request.setValue("Bearer \(visitor.token)", forHTTPHeaderField: "Authorization") }
        if let after { request.setValue(after, forHTTPHeaderField: "Last-Event-ID") }
        let session = URLSession(configuration: .ephemeral, delegate: self, delegateQueue: nil)
        session.dataTask(with: request).resume()
        session.finishTasksAndInvalidate()
    }

    func urlSession(
        _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
        completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
        state.withLock { $0.status = (response as? HTTPURLResponse)?.statusCode ?? 0 }
        completionHandler(.allow)
        tell.yield()
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
        state.withLock { state in
            state.text += String(decoding: data, as: UTF8.self)
            while let end = state.text.firstRange(of: "\n\n") {
                let block = state.text[..<end.lowerBound].split(separator: "\n")
                state.text.removeSubrange(..<end.upperBound)
                func field(_ name: String) -> String? {
                    block.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
                }
                guard let data = field("data") else { continue }
                state.events.append(Event(id: field("id"), name: field("event") ?? "message", data: data))
            }
        }
        tell.yield()
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
        state.withLock { $0.isOver = true }
        tell.yield()
    }

    var events: [Event] { state.withLock { $0.events } }
    var status: Int { state.withLock { $0.status } }

    /// Waits until it began: from then on nothing is missed.
    func begun() async throws { try await wait("it begins") { $0.status > 0 } }

    /// Waits until the gateway ended it, and gives all that was heard.
    func ended() async throws -> [Event] {
        try await wait("it ends") { $0.isOver }
        return events
    }

    /// Waits for an event.
    @discardableResult
    func heard(_ name: String, _ fits: @escaping @Sendable (Event) -> Bool = { _ in true }) async throws -> Event {
        try await wait(name) { $0.events.contains { $0.name == name && fits($0) } }
        guard let event = events.first(where: { $0.name == name && fits($0) }) else {
            throw HarnessError("no \(name)")
        }
        return event
    }

    private func wait(_ what: String, _ isSo: @escaping @Sendable (borrowing State) -> Bool) async throws {
        let isThere = await withTaskGroup(of: Bool.self) { group in
            group.addTask { [self] in
                for await _ in news where state.withLock({ isSo($0) }) { return true }
                return false
            }
            group.addTask {
                // The deadline; what is waited for is the signal.
                try? await Task.sleep(for: .seconds(30))
                return false
            }
            tell.yield()
            defer { group.cancelAll() }
            return await group.next() ?? false
        }
        guard isThere else { throw HarnessError("\(what) was waited for in vain; heard \(events), status \(status)") }
    }
}
