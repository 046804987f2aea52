import Glibc
import StatexKeys
import StatexObjects

/// Who we are to S3. The secret and the session token are shown nowhere.
struct S3Credentials: Sendable, CustomStringConvertible, CustomReflectable {
    var keyID: String
    var secret: String
    /// Of temporary credentials.
    var sessionToken: String?

    var description: String { "credentials of \(keyID)" }
    var customMirror: Mirror { Mirror(self, children: [("keyID", keyID)]) }
}

/// Where the credentials are read from, whenever something is to be signed: so they may be exchanged while we run.
package enum CredentialSource: Sendable, Equatable {
    /// A file as AWS' own tools read it: its section `[default]`, or a file without sections.
    case file(String)
    /// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, for temporary ones, `AWS_SESSION_TOKEN`.
    case environment

    /// A file of a thousand profiles has 200 KiB.
    private static let maximumLength = 256 << 10

    func read() throws(ObjectError) -> S3Credentials {
        switch self {
        case .file(let path): try Self.parse(Self.text(of: path), path)
        case .environment:
            try Self.credentials("the environment") { name in
                getenv(name.uppercased()).map { String(cString: $0) }
            }
        }
    }

    private static func text(of path: String) throws(ObjectError) -> String {
        do throws(ObjectError) {
            let file = try FileDescriptor.open(path, O_RDONLY)
            _ = try file.regularFileSize()
            do throws(KeyError) { try checkSecretFile(file.raw, path) } catch { throw ObjectError.refused("\(error)") }
            guard let text = String(validating: try file.readAll(limit: maximumLength), as: UTF8.self) else {
                throw .refused("it is not valid UTF-8")
            }
            return text
        } catch {
            throw .refused("s3_credentials_file \(quoted(path)): \(error)")
        }
    }

    static func parse(_ text: String, _ path: String) throws(ObjectError) -> S3Credentials {
        var values: [String: String] = [:]
        var isOurs = true
        for line in text.split(whereSeparator: \.isNewline).map(\.trimmed) where !line.isEmpty && line.first != "#" {
            if line.first == "[" {
                isOurs = line == "[default]"
            } else if isOurs, let sign = line.firstIndex(of: "=") {
                values[line[..<sign].trimmed] = line[line.index(after: sign)...].trimmed
            }
        }
        return try credentials("s3_credentials_file \(quoted(path))") { values[$0] }
    }

    private static func credentials(
        _ origin: String, _ value: (String) -> String?
    ) throws(ObjectError) -> S3Credentials {
        func take(_ name: String) throws(ObjectError) -> String? {
            guard let text = value(name), !text.isEmpty else { return nil }
            // They go into a header.
            guard text.utf8.count <= 4096, text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw .refused("\(origin): \(name) is not at most 4096 printable characters without spaces")
            }
            return text
        }
        guard let keyID = try take("aws_access_key_id"), let secret = try take("aws_secret_access_key") else {
            throw .refused(
                "\(origin) has no credentials for S3: aws_access_key_id and aws_secret_access_key are needed "
                    + "(key s3_credentials_file, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment)")
        }
        return S3Credentials(keyID: keyID, secret: secret, sessionToken: try take("aws_session_token"))
    }
}

extension StringProtocol {
    fileprivate var trimmed: String {
        let isSpace = { (character: Character) in character == " " || character == "\t" }
        return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
