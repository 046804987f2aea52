import CZeroMQ

/// A call into libzmq that failed: which one, and why.
package struct ZeroMQError: Error, Sendable, CustomStringConvertible {
    package let call: String
    package let code: Int32

    /// The error of the call that just failed on this thread.
    static func last(_ call: String) -> ZeroMQError { ZeroMQError(call: call, code: zmq_errno()) }

    package var description: String { "\(call): \(String(cString: zmq_strerror(code)))" }

    package var isAddressInUse: Bool { code == EADDRINUSE }
}

/// The version of libzmq in use, as `4.3.4`.
package func zeroMQVersion() -> String {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    zmq_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
}
