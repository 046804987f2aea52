"""A collector of spans: takes OTLP over HTTP in its JSON encoding, held against OpenTelemetry's own definition of it.

Prints the port that it serves once it does. Then it answers each line of its input, an order in JSON, with a line, and
ends with its input:

  {"answers": [STATUS…]}   what the next requests are answered, one each, without taking what they bring
  {"spans": true}          what was taken so far
  {"requests": true}       the heads of all requests so far
"""

import base64
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

lock = Lock()
answers, spans, requests, faults = [], [], [], []


def checked(body):
    """The definition has ids as bytes; in JSON, OTLP writes them in hexadecimal where protobuf would in base64."""
    message = json.loads(body)
    for span in (s for r in message["resourceSpans"] for o in r["scopeSpans"] for s in o["spans"]):
        for name, size in (("traceId", 16), ("spanId", 8), ("parentSpanId", 8)):
            if name in span:
                bytes_ = bytes.fromhex(span[name])
                if len(bytes_) != size or not any(bytes_) or span[name] != bytes_.hex():
                    raise ValueError(f"{name} is {span[name]}")
                span[name] = base64.b64encode(bytes_).decode()
    return json_format.ParseDict(message, ExportTraceServiceRequest(), ignore_unknown_fields=False)


def plain(attributes):
    return {a.key: str(getattr(a.value, a.value.WhichOneof("value"))) for a in attributes}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with lock:
            requests.append({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}})
            status = answers.pop(0) if answers else 200
            if status == 200:
                try:
                    take(checked(body))
                except Exception as fault:
                    faults.append(str(fault))
                    status = 400
        answer = b"{}"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


def take(message):
    for resource in message.resource_spans:
        service = plain(resource.resource.attributes)
        for span in (s for o in resource.scope_spans for s in o.spans):
            spans.append({
                "service": service["service.name"], "trace": span.trace_id.hex(), "span": span.span_id.hex(),
                "parent": span.parent_span_id.hex(), "name": span.name, "kind": span.kind,
                "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
                "attributes": plain(span.attributes), "failed": span.status.code == 2,
            })


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
for line in sys.stdin:
    order = json.loads(line)
    with lock:
        if "answers" in order:
            answers[:] = order["answers"]
            answer = {}
        elif "spans" in order:
            answer = {"spans": spans, "faults": faults}
        else:
            answer = requests
        print(json.dumps(answer), flush=True)
