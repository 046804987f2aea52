"""Where the models are, and that they are what they should be.

A model is a directory under STATEX_MODELS. Each of its files must be listed with its sha256 in
the sums file (`models.sha256` beside this file, or the one that STATEX_MODEL_SUMS names, in the
format of `sha256sum`); a file that is missing, not listed or different makes the handler
unavailable.
"""

import hashlib
import os
import re

from statex_handler import Unavailable

_HERE = os.path.dirname(os.path.abspath(__file__))
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def verified(model):
    """The directory of a model, after every file in it was compared with its sum."""
    if not _NAME.fullmatch(model):
        raise Unavailable(f"model name {model!r}: expected a directory's name under STATEX_MODELS")
    root = os.environ.get("STATEX_MODELS", "")
    if not root:
        raise Unavailable("STATEX_MODELS is not set: it names the directory that holds the models")
    sums = _sums()
    expected = {path for path in sums if path.startswith(model + "/")}
    directory = os.path.join(root, model)
    if not os.path.isdir(directory):
        raise Unavailable(f"model {model} is not in {root}: run scripts/setup")
    if not expected:
        raise Unavailable(f"model {model} has no sums: add its files to the file that STATEX_MODEL_SUMS names")
    present = {f"{model}/{name}" for name in os.listdir(directory)}
    for path in sorted(present | expected):
        if path not in expected:
            raise Unavailable(f"model file {path} has no sum")
        if path not in present:
            raise Unavailable(f"model file {path} is missing: run scripts/setup")
        if _sha256(os.path.join(root, path)) != sums[path]:
            raise Unavailable(f"model file {path} differs from its sum: run scripts/setup")
    return directory


def _sums():
    path = os.environ.get("STATEX_MODEL_SUMS") or os.path.join(_HERE, "models.sha256")
    sums = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            match = re.fullmatch(r"([0-9a-f]{64}) [ *](.+)", line)
            if not match:
                raise Unavailable(f"{path}: a line is not '<sha256>  <model>/<file>'")
            sums[match[2]] = match[1]
    return sums


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
