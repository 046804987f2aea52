import CZeroMQ
import Glibc
import StatexKeys

// CURVE: who connects proves to have a secret key, and everything is encrypted.

extension KeyPair {
    /// A new pair, from the kernel's random numbers.
    package static func make() throws(ZeroMQError) -> KeyPair {
        // 40 characters and the final NUL.
        var shared = [CChar](repeating: 0, count: 41)
        var secret = shared
        guard zmq_curve_keypair(&shared, &secret) == 0 else { throw .last("zmq_curve_keypair") }
        guard let publicKey = CurveKey(text(shared)), let secretKey = SecretKey(text(secret)) else {
            throw ZeroMQError(call: "zmq_curve_keypair", code: EINVAL)
        }
        return KeyPair(publicKey: publicKey, secretKey: secretKey)
    }

    /// Whether the two belong together.
    package var isWhole: Bool {
        var shared = [CChar](repeating: 0, count: 41)
        return zmq_curve_public(&shared, secretKey.text) == 0 && Self.text(shared) == publicKey.text
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension Socket {
    /// Who connects must have a key that the process' `Authenticator` lets in at this door. Before `bind`.
    package borrowing func setKeys(_ secret: SecretKey, at door: Door) throws(ZeroMQError) {
        try makeRoomForBoxes()
        try set(ZMQ_CURVE_SERVER, 1)
        try set(ZMQ_CURVE_SECRETKEY, secret.text)
        try set(ZMQ_ZAP_DOMAIN, door.rawValue)
        // Without an authenticator nobody gets in, instead of everybody.
        try set(Self.enforceDomain, 1)
    }

    /// ZMQ_ZAP_ENFORCE_DOMAIN, which 4.3.4 takes, and has in its header among drafts.
    private static var enforceDomain: Int32 { 93 }

    /// Connects; with keys where the endpoint takes some.
    package borrowing func connect(_ endpoint: String, with keys: inout PeerKeys?) throws(ZeroMQError) {
        if Door.takesKeys(endpoint), keys != nil {
            do throws(KeyError) {
                guard let credentials = try keys?.next() else { return }
                try setKeys(credentials)
            } catch {
                throw ZeroMQError(call: error.description, code: EACCES)
            }
        }
        try connect(endpoint)
    }

    private borrowing func setKeys(_ credentials: PeerKeys.Credentials) throws(KeyError) {
        do throws(ZeroMQError) {
            try makeRoomForBoxes()
            try set(ZMQ_CURVE_PUBLICKEY, credentials.own.publicKey.text)
            try set(ZMQ_CURVE_SECRETKEY, credentials.own.secretKey.text)
            try set(ZMQ_CURVE_SERVERKEY, credentials.scheduler.text)
        } catch {
            throw KeyError(error.description)
        }
    }

    /// The largest message is held against what comes over the wire, and encrypted it has 33 bytes more.
    private borrowing func makeRoomForBoxes() throws(ZeroMQError) {
        var bytes: Int64 = 0
        var length = MemoryLayout<Int64>.size
        guard zmq_getsockopt(pointer, ZMQ_MAXMSGSIZE, &bytes, &length) == 0 else { throw .last("MAXMSGSIZE") }
        if bytes > 0 { try set64(ZMQ_MAXMSGSIZE, bytes + 64) }
    }

    private borrowing func set(_ option: Int32, _ text: String) throws(ZeroMQError) {
        var text = text
        let code = text.withUTF8 { zmq_setsockopt(pointer, option, $0.baseAddress, $0.count) }
        guard code == 0 else { throw .last("socket option \(option)") }
    }
}

extension Frame {
    /// The key of the connection that it came over; nil: it came without one. Only the frame behind a ROUTER's routing
    /// id is asked: libzmq 4.3.4 loses what is known of the first one.
    package var user: String? { zmq_msg_gets(message, Self.property).map { String(cString: $0) } }

    /// The same, compared where it stands.
    package func isOf(user: String) -> Bool {
        guard let known = zmq_msg_gets(message, Self.property) else { return false }
        return strcmp(known, user) == 0
    }

    private static var property: String { "User-Id" }
}
