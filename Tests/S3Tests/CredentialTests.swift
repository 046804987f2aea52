import StatexObjects
import Testing

@testable import StatexS3

struct CredentialTests {
    @Test func `are read from a file of AWS' own tools, its default section alone`() throws {
        let text = """
            # mine
            [other]
            aws_access_key_id = WRONG
            aws_secret_access_key = WRONG
            [default]
              aws_access_key_id=KEY
            aws_secret_access_key =  se=cr/et+
            aws_session_token= token
            [more]
            aws_access_key_id = WRONG
            """
        let credentials = try S3Credentials.parse(text)
        #expect((credentials.keyID, credentials.secret, credentials.sessionToken) == ("KEY", "se=cr/et+", "token"))
        #expect(try S3Credentials.parse("aws_access_key_id=K\r\naws_secret_access_key=S\r\n").secret == "S")
    }

    @Test(arguments: [
        "", "[default]", "aws_access_key_id=K", "[x]\naws_access_key_id=K\naws_secret_access_key=S",
        "aws_access_key_id=K\naws_secret_access_key=hush hush", "aws_access_key_id=K\naws_secret_access_key=",
        "aws_access_key_id=K\naws_secret_access_key=hüsh",
    ])
    func `that are none are refused, with the key to set and without the secret`(text: String) {
        let error = #expect(throws: ObjectError.self) { try S3Credentials.parse(text) }
        #expect(error?.description.contains("s3_credentials_file") == true)
        #expect(error?.description.contains("hush") == false)
    }

    @Test func `show no secret, however they are printed`() {
        let credentials = S3Credentials(keyID: "KEY", secret: "hush", sessionToken: "hush2")
        var dumped = ""
        dump(credentials, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped, "\([credentials])"] {
            #expect(text.contains("KEY") && !text.contains("hush"))
        }
    }
}

extension S3Credentials {
    fileprivate static func parse(_ text: String) throws(ObjectError) -> S3Credentials {
        try CredentialSource.parse(text, "/credentials")
    }
}
