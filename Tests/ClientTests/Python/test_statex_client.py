"""The Python client of docs/examples against the vectors that pin every message. Needs no pyzmq."""
import importlib.util
import json
import pathlib
import struct
import sys
import types
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.modules.setdefault("zmq", types.ModuleType("zmq"))
SPEC = importlib.util.spec_from_file_location("statex_client", ROOT / "docs/examples/statex_client.py")
CLIENT = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(CLIENT)
VECTORS = {
    vector["name"]: (vector["fields"], bytes.fromhex(vector["hex"]))
    for vector in json.loads((ROOT / "Tests/ProtocolTests/Vectors/messages.json").read_text())
}


class Received:
    """A session that received one vector."""

    def __init__(self, name):
        _, frame = VECTORS[name]
        kind, header_length, record_length, count = struct.unpack_from("<3xBHH20xI", frame)
        self.message = (kind, frame, header_length, record_length, count)

    def receive(self):
        return self.message


class VectorTests(unittest.TestCase):
    def test_a_submit_is_written_as_its_vector_says(self):
        fields, frame = VECTORS["submit of one job"]
        body = CLIENT.submit_body("text", [b"hello"], None)
        self.assertEqual(frame[48:], body)
        self.assertEqual(frame[32:48], struct.pack("<QIHH", fields["first_sequence"], 0, 2, 0))

    def test_accepted_sequences_get_their_ids(self):
        fields, _ = VECTORS["accepted"]
        for run in fields["records"]:
            for place in range(run["requests"]):
                found = CLIENT.acknowledged(Received("accepted"), run["sequence"] + place)
                self.assertEqual(found, (run["first_id"] + place * run["jobs_each"], 0))

    def test_a_refusal_says_later_or_never(self):
        later, never = VECTORS["refused"][0]["records"]
        self.assertEqual(
            CLIENT.acknowledged(Received("refused"), later["sequence"]), (None, later["retry_after_ms"] / 1000))
        with self.assertRaisesRegex(CLIENT.Refused, never["message"]):
            CLIENT.acknowledged(Received("refused"), never["sequence"])

    def test_results_are_read_as_their_vector_says(self):
        fields, _ = VECTORS["results"]
        jobs = {}
        CLIENT.collect(jobs, fields["records"][0]["id"], *Received("results").receive())
        self.assertEqual([job["state"] for job in jobs.values()], ["succeeded", "dead"])
        self.assertEqual(jobs[0]["result"], {"language": "en"})
        self.assertEqual(jobs[1]["error"], {"class": "no_speech", "message": "nothing is heard"})

    def test_a_welcome_is_read_as_its_vector_says(self):
        fields, _ = VECTORS["welcome"]
        session = CLIENT.Session.__new__(CLIENT.Session)
        session.epochs = {}
        self.assertTrue(session.welcomed(*Received("welcome").receive()))
        self.assertEqual(session.stamp, (fields["session"], fields["incarnation"], fields["epoch"]))
        self.assertEqual(session.last_sequence, fields["last_sequence"])
        session.epochs[fields["incarnation"]] += 1
        self.assertFalse(session.welcomed(*Received("welcome").receive()))


if __name__ == "__main__":
    unittest.main()
