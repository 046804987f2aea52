"""A real S3 server, moto's, whose users are real too: signatures are checked by botocore (moto's own check takes no
queries), bodies by their sums. It fails when it is told to.

usage: s3_server.py [--tls CERTIFICATE KEY]

Prints one line of JSON once it serves: its port, and the keys of two users, of whom the second may do nothing. Then it
answers each line of its input, an order in JSON, with a line, and ends with its input:

  {"faults": [FAULT…]}                 one for each of the next requests; forgets the requests so far
  {"requests": true}                   the methods and paths since then
  {"sent": true}                       how many bytes of bodies it sent since then
  {"age": "BUCKET/KEY", "days": N}     makes an object older
  {"keys": "BUCKET"}                   what is there
  {"put": "BUCKET/KEY", "text": TEXT}  puts an object without asking anybody

Faults: "slow-down" (503 SlowDown), "error" (500 InternalError), "cut" (half of the answer's body, then the connection is
closed), "drop" (closed without an answer), "early" (503 before the body was read, then closed), "silent" (nothing, until
the client gives up), "changed" (another content of the same length), "none".
"""

import datetime
import hashlib
import io
import json
import os
import socket
import ssl
import sys
import threading
from urllib.parse import urlsplit

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1000000"
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.core.responses import ActionAuthenticatorMixin
from moto.iam.access_control import IAMRequestBase
from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

ACCOUNT = "123456789012"
faults = []
requests = []
sent = 0
secrets = {}
lock = threading.Lock()
inner = DomainDispatcherApplication(create_backend_app)


class Auth(S3SigV4Auth):
    def payload(self, request):
        return request.headers["x-amz-content-sha256"]


def mistake(environ, body):
    """What is wrong with a request's signature or body, as S3 calls it."""
    fields = dict(part.strip().split("=", 1) for part in environ["HTTP_AUTHORIZATION"].split(" ", 1)[1].split(","))
    key, day, region, service, _ = fields["Credential"].split("/")
    if key not in secrets:
        return None  # moto says so.
    def header(name):
        return environ.get("HTTP_" + name.upper().replace("-", "_"), environ.get(name.upper().replace("-", "_")))
    sum = header("x-amz-content-sha256")
    url = urlsplit(environ["RAW_URI"])
    request = AWSRequest(
        method=environ["REQUEST_METHOD"],
        url=f"http://{header('host')}{url.path}?{url.query}",
        headers={name: header(name) for name in fields["SignedHeaders"].split(";")},
    )
    request.context["timestamp"] = header("x-amz-date")
    auth = Auth(Credentials(key, secrets[key]), service, region)
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if signature != fields["Signature"] or not {"host", "x-amz-date"} <= set(fields["SignedHeaders"].split(";")):
        return "SignatureDoesNotMatch"
    if sum != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    if header("x-amz-date")[:8] != day or datetime.datetime.now(datetime.UTC).strftime("%Y%m%d") != day:
        return "RequestTimeTooSkewed"
    return None


def problem(status, code):
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as ordered</Message></Error>".encode()
    return status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))], [body]


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    with lock:
        requests.append(f"{method} {path}" + (" copy" if "HTTP_X_AMZ_COPY_SOURCE" in environ else ""))
        fault = faults.pop(0) if faults else "none"
    connection = environ["werkzeug.socket"]
    if fault == "drop":
        connection.shutdown(socket.SHUT_RDWR)
        return []
    if fault == "early":
        connection.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_RDWR)
        return []
    if fault == "silent":
        while connection.recv(65536):
            pass
        return []
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    if code := mistake(environ, body):
        status, headers, body = problem("403 Forbidden", code)
        start_response(status, headers)
        return [] if method == "HEAD" else body
    if fault in ("slow-down", "error"):
        status, headers, body = problem(
            *{"slow-down": ("503 Slow Down", "SlowDown"), "error": ("500 Internal Server Error", "InternalError")}[fault]
        )
        start_response(status, headers)
        return [] if method == "HEAD" else body
    if fault in ("cut", "changed"):
        kept = []
        body = b"".join(inner(environ, lambda status, headers, info=None: kept.extend((status, headers))))
        if fault == "changed":
            start_response(*kept)
            return [bytes(byte ^ 1 for byte in body)]
        head = "HTTP/1.1 200 OK\r\n" + "".join(f"{k}: {v}\r\n" for k, v in kept[1] if k.lower() != "connection")
        connection.sendall(head.encode() + b"\r\n" + body[: len(body) // 2])
        connection.shutdown(socket.SHUT_RDWR)
        return []
    return counted(inner(environ, start_response)) if method != "HEAD" else inner(environ, start_response)


def counted(body):
    global sent
    for piece in body:
        with lock:
            sent += len(piece)
        yield piece


def obey(order):
    global sent
    s3 = s3_backends[ACCOUNT]["aws"]
    with lock:
        if "faults" in order:
            faults[:] = order["faults"]
            requests.clear()
            sent = 0
        elif "requests" in order:
            return requests
        elif "sent" in order:
            return sent
        elif "age" in order:
            s3.head_object(*order["age"].split("/", 1)).last_modified -= datetime.timedelta(days=order["days"])
        elif "keys" in order:
            return sorted(s3.buckets[order["keys"]].keys.keys())
        elif "put" in order:
            s3.put_object(*order["put"].split("/", 1), order["text"].encode())
    return None


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *arguments):
        pass


def prepare():
    """A user with a key, and buckets; from then on signatures are checked."""
    iam = iam_backends[ACCOUNT]["aws"]
    keys = []
    for name, effect in (("statex", "Allow"), ("nobody", "Deny")):
        iam.create_user("us-east-1", name)
        policy = {"Version": "2012-10-17", "Statement": [{"Effect": effect, "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(name, "s3", json.dumps(policy))
        keys.append(iam.create_access_key(name))
        secrets[keys[-1].access_key_id] = keys[-1].secret_access_key
    for bucket in ("objects", "other"):
        s3_backends[ACCOUNT]["aws"].create_bucket(bucket, "us-east-1")
    IAMRequestBase.check_signature = lambda self: None
    ActionAuthenticatorMixin.request_count = 1_000_000
    return keys


ours, denied = prepare()
server = ThreadedWSGIServer("127.0.0.1", 0, application, handler=Handler)
if "--tls" in sys.argv:
    certificate, key = sys.argv[sys.argv.index("--tls") + 1 :][:2]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(
    json.dumps(
        {
            "port": server.server_port,
            "key": ours.access_key_id,
            "secret": ours.secret_access_key,
            "denied_key": denied.access_key_id,
            "denied_secret": denied.secret_access_key,
        }
    ),
    flush=True,
)
for line in sys.stdin:
    print(json.dumps(obey(json.loads(line))), flush=True)
