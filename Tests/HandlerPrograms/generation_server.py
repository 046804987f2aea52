"""A real OpenAI-compatible server on the loopback, for the tests of the http handler.

usage: generation_server.py [PORT [KEY]]

Prints one line, {"url": "http://127.0.0.1:PORT"}, once it serves, and ends when its stdin does. With a
KEY it answers only to those that have it. Needs scripts/setup --generation.
"""

import json
import os
import sys
from pathlib import Path

import xllamacpp

MODEL = Path(__file__).resolve().parents[2] / ".models/gemma3-270m/gemma-3-270m-q4_k_m.gguf"


def main():
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # The library prints.
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(MODEL)
    parameters.n_ctx = 2048
    parameters.n_parallel = 2
    parameters.cpuparams.n_threads = 1
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    # Embeddings beside completions.
    parameters.embedding = True
    parameters.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    if len(sys.argv) > 2:
        parameters.api_keys = [sys.argv[2]]
    server = xllamacpp.Server(parameters)
    print(json.dumps({"url": server.listening_address}), file=output, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
