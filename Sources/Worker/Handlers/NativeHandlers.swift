// The handlers that ship for benchmarks and tests, as Swift code inside the worker.

import Dispatch
import Glibc
import StatexHandlerAPI

/// The native handlers by their kinds.
package enum NativeHandlers {
    package static let all: [any Handler] = [
        NoopHandler(), EchoHandler(), SleepHandler(), FailHandler(), CrashHandler(), HangHandler(),
        StreamHandler(),
    ]

    package static func named(_ kind: String) -> (any Handler)? { all.first { $0.kind == kind } }
}

/// Does nothing and returns nothing.
package struct NoopHandler: Handler {
    package let kind = "noop"

    package init() {}

    package func run(_ job: Job) async throws -> Payload { .bytes([]) }
}

/// Returns its payload, and behind it the results that it takes from other jobs. Only a thing alone may be a
/// reference.
package struct EchoHandler: Handler {
    package let kind = "echo"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        let parts = ([job.payload] + job.inputs.map(\.payload)).filter { $0 != .bytes([]) }
        guard parts.count > 1 else { return parts.first ?? .bytes([]) }
        var joined: [UInt8] = []
        for part in parts {
            guard case .bytes(let bytes) = part else {
                throw HandlerError("bad_payload", "echo joins only what is inline", retryable: false)
            }
            joined += bytes
        }
        return .bytes(joined)
    }
}

/// Takes `{"ms": N}` and ends after so many milliseconds.
package struct SleepHandler: Handler {
    private struct Order: Decodable { var ms: Int }
    private static let longest = 86_400_000

    package let kind = "sleep"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        let order = try job.order(Order.self, like: #"{"ms": N}"#)
        guard (0...Self.longest).contains(order.ms) else {
            throw HandlerError("bad_payload", "ms is \(order.ms), it takes 0 to \(Self.longest)", retryable: false)
        }
        do {
            try await job.cancellation.cancelling { try await Task.sleep(for: .milliseconds(order.ms)) }
        } catch {
            throw HandlerError("stopped", "stopped before its \(order.ms) ms were over")
        }
        return .bytes([])
    }
}

/// Fails as its payload says: `{"message": "…", "retryable": true, "retry_after_ms": N, "attempts": K}`, all
/// optional. With `attempts` it fails the first K attempts and then succeeds.
package struct FailHandler: Handler {
    private struct Order: Decodable {
        var message: String?
        var retryable: Bool?
        var retryAfter: Int?
        var attempts: Int?

        enum CodingKeys: String, CodingKey {
            case message, retryable, attempts
            case retryAfter = "retry_after_ms"
        }
    }

    package let kind = "fail"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        let order = try job.order(Order.self, like: #"{"message": "…", "retryable": true, "attempts": K}"#)
        if let attempts = order.attempts, job.attempt > attempts { return .bytes([]) }
        throw HandlerError(
            "asked_to_fail", order.message ?? "failed as asked", retryable: order.retryable ?? true,
            retryAfterMilliseconds: order.retryAfter)
    }
}

/// Kills the process that it runs in, as a fault in a library would.
package struct CrashHandler: Handler {
    package let kind = "crash"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        kill(getpid(), SIGKILL)
        throw HandlerError("crash", "the process outlived SIGKILL")
    }
}

/// Blocks its thread until it is told to stop; with `{"ignore_cancel": true}` for ever.
package struct HangHandler: Handler {
    private struct Order: Decodable {
        var ignoresCancel: Bool?

        enum CodingKeys: String, CodingKey { case ignoresCancel = "ignore_cancel" }
    }

    package let kind = "hang"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        let order = try job.order(Order.self, like: #"{"ignore_cancel": true}"#)
        Self.block(until: order.ignoresCancel == true ? nil : job.cancellation)
        throw HandlerError("stopped", "hung until it was told to stop")
    }

    /// Blocks on purpose: what a handler does to its thread must not matter to the worker.
    private static func block(until cancellation: Cancellation?) {
        let stopped = DispatchSemaphore(value: 0)
        cancellation?.onCancel { _ in stopped.signal() }
        stopped.wait()
    }
}

/// Puts pieces out: `{"pieces": N, "ms": M, "fails_at": K, "crashes_at": K}`, the last two optional. After each it says
/// how far it is, hands a checkpoint over, and waits for M ms. Its first attempt fails, or kills the process, before
/// piece K; the next one goes on where the checkpoint says. Its result says from where: `{"from": K}`.
package struct StreamHandler: Handler {
    private struct Order: Decodable {
        var pieces: Int
        var ms: Int?
        var failsAt: Int?
        var crashesAt: Int?

        enum CodingKeys: String, CodingKey {
            case pieces, ms
            case failsAt = "fails_at"
            case crashesAt = "crashes_at"
        }
    }

    package let kind = "stream"

    package init() {}

    package func run(_ job: Job) async throws -> Payload {
        let order = try job.order(Order.self, like: #"{"pieces": N, "ms": M, "fails_at": K}"#)
        let first = job.checkpoint.flatMap { Int(String(decoding: $0, as: UTF8.self)) } ?? 0
        for piece in first..<max(first, order.pieces) {
            if job.attempt == 1, piece == order.failsAt { throw HandlerError("asked_to_fail", "failed as asked") }
            if job.attempt == 1, piece == order.crashesAt { kill(getpid(), SIGKILL) }
            job.put("piece \(piece)\n")
            job.report(Progress(fraction: Double(piece + 1) / Double(order.pieces), text: "\(piece + 1) pieces"))
            try job.save(checkpoint: Array("\(piece + 1)".utf8))
            guard let pause = order.ms, pause > 0 else { continue }
            do {
                try await job.cancellation.cancelling { try await Task.sleep(for: .milliseconds(pause)) }
            } catch {
                throw HandlerError("stopped", "stopped before its end")
            }
        }
        return .bytes(Array("{\"from\": \(first)}".utf8))
    }
}
