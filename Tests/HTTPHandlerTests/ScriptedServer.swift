import Foundation

/// A small HTTP server in Python that answers as the path of the request says.
final class ScriptedServer: Sendable {
    let url: String
    private let process = Process()
    private let output = Pipe()

    init() throws {
        let script = """
            import email.utils, http.server, json, socket, time

            class Handler(http.server.BaseHTTPRequestHandler):
                protocol_version = "HTTP/1.1"
                def log_message(self, *arguments): pass
                def answer(self, status, body, **headers):
                    body = body if isinstance(body, bytes) else json.dumps(body).encode()
                    self.send_response(status)
                    for name, value in headers.items(): self.send_header(name.replace("_", "-"), value)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                def do_POST(self):
                    body = self.rfile.read(int(self.headers["Content-Length"]))
                    key = self.headers.get("Authorization", "")
                    if self.path == "/v1/echo":
                        self.answer(200, {"key": key, "type": self.headers["Content-Type"], "body": json.loads(body)})
                    elif self.path == "/v1/audio/transcriptions":
                        self.answer(200, {"type": self.headers["Content-Type"], "length": len(body), "has": b"RIFF\\x00\\xff" in body, "model": b'name="model"\\r\\n\\r\\ntiny\\r\\n' in body})
                    elif self.path.startswith("/status/"):
                        self.answer(int(self.path[8:]), {"error": {"message": "because of " + key}})
                    elif self.path == "/busy":
                        self.answer(429, {"error": {"message": "slow down"}}, Retry_After="7")
                    elif self.path == "/date":
                        self.answer(503, b"later", Retry_After=email.utils.formatdate(time.time() + 60, usegmt=True))
                    elif self.path == "/html":
                        self.answer(200, b"<html>")
                    elif self.path == "/redirect":
                        self.answer(307, b"", Location="/v1/echo")
                    elif self.path == "/large":
                        self.answer(200, b'"' + b"x" * 100000 + b'"')
                    elif self.path == "/endless":
                        self.send_response(200); self.send_header("Connection", "close"); self.end_headers()
                        try:
                            while True: self.wfile.write(b"x" * 10000)
                        except OSError: pass
                    elif self.path == "/never":
                        print("asked", flush=True)
                        time.sleep(600)
                    elif self.path == "/drop":
                        self.close_connection = True; self.connection.shutdown(socket.SHUT_RDWR)

            server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
            server.daemon_threads = True
            print(server.server_address[1], flush=True)
            server.serve_forever()
            """
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-c", script]
        process.standardOutput = output
        try process.run()
        url = "http://127.0.0.1:\(try Self.line(from: output))"
    }

    /// Returns when a request to `/never` has arrived.
    func awaitRequest() throws { _ = try Self.line(from: output) }

    private static func line(from pipe: Pipe) throws -> String {
        var line = Data()
        while let byte = try pipe.fileHandleForReading.read(upToCount: 1), !byte.isEmpty,
            byte.first != UInt8(ascii: "\n")
        {
            line.append(byte)
        }
        return String(decoding: line, as: UTF8.self)
    }

    deinit { process.terminate() }
}
