"""Signs requests with botocore, the oracle: reads lines of JSON, answers each with the header `Authorization`."""

import json
import sys

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
import botocore.compat
import datetime


class At(S3SigV4Auth):
    """At a time of the question's, and of exactly its headers."""

    def _modify_request_before_signing(self, request):
        pass

    def payload(self, request):
        return request.headers["x-amz-content-sha256"]


def sign(question):
    auth = At(Credentials(question["key"], question["secret"]), "s3", question["region"])
    request = AWSRequest(
        method=question["method"],
        url="https://" + question["host"] + question["encoded_path"],
        params=dict(question["query"]),
        headers=dict(question["headers"]),
    )
    request.context["timestamp"] = question["time"]
    request.context["signing"] = {}
    canonical = auth.canonical_request(request)
    text = auth.string_to_sign(request, canonical)
    return {"canonical": canonical, "signature": auth.signature(text, request)}


for line in sys.stdin:
    print(json.dumps(sign(json.loads(line))), flush=True)
