"""An HTTPS server on the loopback whose certificate is good for `localhost` only.

usage: tls_server.py DIRECTORY

Makes the certificate in DIRECTORY (cert.pem), prints the port once it serves, and ends when its stdin does.
POST /cut closes a body of unknown length without TLS's goodbye, any other path with it.
"""

import socket
import ssl
import subprocess
import sys
import threading


def serve(connection, context):
    try:
        with context.wrap_socket(connection, server_side=True) as peer:
            received = b""
            while b"\r\n\r\n" not in received:
                received += peer.recv(65536)
            head, body = received.split(b"\r\n\r\n", 1)
            length = int(next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))[15:])
            missing = length - len(body)
            while missing > 0:
                missing -= len(peer.recv(65536)) or missing
            peer.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b'{"length":%d}' % length)
            if b" /cut " not in head:
                peer.unwrap()
    except (OSError, ValueError):
        pass


def main():
    directory = sys.argv[1]
    command = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=test -addext subjectAltName=DNS:localhost"
    files = ["-keyout", f"{directory}/key.pem", "-out", f"{directory}/cert.pem"]
    subprocess.run(["openssl", *command.split(), *files], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{directory}/cert.pem", f"{directory}/key.pem")
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            serve(listener.accept()[0], context)

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
