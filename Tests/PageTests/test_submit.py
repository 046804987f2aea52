"""Text, files and recordings in, results out."""

import io
import json
import wave

DROP = """
const files = new DataTransfer();
for (const [name, type, size] of arguments[0]) files.items.add(new File([new Uint8Array(size).fill(97)], name, {type}));
document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true}));
"""


def test_a_text_is_submitted_and_its_result_appears(browser, world):
    browser.open("#/submit")
    browser.find("#text").send_keys("Hello")
    browser.find(".submit .primary").click()
    browser.wait(lambda: world.submitted)
    assert world.submitted[0][0] == {"jobs": [{"kind": "text", "payload": "Hello"}]}
    browser.wait(lambda: world.streams)
    job = next(iter(world.jobs.values()))
    world.start(job)
    world.publish(job, "job.progress", {"fraction": 0.5, "text": "half"})
    browser.sees("50 % · half")
    world.end(job, result={"text": "Hello, Ada"})
    browser.sees("Hello, Ada", ".submitted")


def test_files_that_are_dropped_go_with_the_text_as_one_request(browser, world):
    browser.open("#/submit")
    browser.find("#text").send_keys("Minutes")
    browser.script(DROP, [["talk.wav", "audio/wav", 100], ["notes.txt", "text/plain", 50], ["paper.pdf", "application/pdf", 80]])
    browser.wait(lambda: len(browser.all(".files li")) == 3)
    browser.button("Take out notes.txt").click()
    kind = browser.find("[aria-label='Kind of paper.pdf']")
    assert kind.get_attribute("value") == "file"
    browser.find(".submit .primary").click()
    browser.wait(lambda: world.submitted)
    request, files, key = world.submitted[0]
    assert request == {"jobs": [{"kind": "text", "payload": "Minutes"}, {"kind": "audio", "file": "file0"}, {"kind": "file", "file": "file1"}]}
    assert {field: (name, len(content)) for field, (name, content) in files.items()} == {"file0": ("talk.wav", 100), "file1": ("paper.pdf", 80)}
    assert key.startswith("page-")


def test_options_go_with_every_job(browser, world):
    browser.open("#/submit")
    browser.find("#text").send_keys("Hello")
    browser.find("details summary").click()
    browser.find("#priority").send_keys("0")
    browser.find("#tags").send_keys("meeting-42, minutes")
    browser.find("#delay").send_keys("60")
    browser.find(".submit .primary").click()
    browser.wait(lambda: world.submitted)
    assert world.submitted[0][0]["jobs"] == [{"kind": "text", "payload": "Hello", "priority": 0, "tags": ["meeting-42", "minutes"], "delay_seconds": 60}]


def test_an_upload_says_how_far_it_is_and_can_be_stopped(browser, world):
    world.uploads_pause = 0.05
    browser.open("#/submit")
    browser.script(DROP, [["large.bin", "application/octet-stream", 20_000_000]])
    browser.find(".submit .primary").click()
    browser.wait(lambda: " of 20 MB" in browser.text())
    browser.button("Stop").click()
    browser.wait(lambda: browser.all("progress") == [])
    assert len(browser.all(".files li")) == 1 and world.submitted == []
    world.uploads_pause = 0.0


def test_nothing_that_is_written_or_added_during_an_upload_is_thrown_away(browser, world):
    world.uploads_pause = 0.05
    browser.open("#/submit")
    browser.find("#text").send_keys("Minutes")
    browser.script(DROP, [["large.bin", "application/octet-stream", 4_000_000]])
    browser.find(".submit .primary").click()
    browser.wait(lambda: " of 4.0 MB" in browser.text())
    # What would not go with it cannot be written, and what is dropped waits.
    assert not browser.find("#text").is_enabled() and not browser.button("Take out large.bin").is_enabled()
    browser.script(DROP, [["late.bin", "application/octet-stream", 10]])
    browser.wait(lambda: len(browser.all(".submitted > article")) == 1)
    assert list(world.submitted[0][1]) == ["file0"] and browser.find("#text").get_attribute("value") == ""
    assert [row.text.split()[0] for row in browser.all(".files li")] == ["late.bin"]
    world.uploads_pause = 0.0
    browser.find("#text").send_keys("More")
    browser.find(".submit .primary").click()
    browser.wait(lambda: len(world.submitted) == 2)
    assert world.submitted[1][0]["jobs"] == [{"kind": "text", "payload": "More"}, {"kind": "file", "file": "file0"}]


def test_two_clicks_while_something_is_recorded_submit_once(browser, world):
    browser.open("#/submit")
    browser.find("#text").send_keys("Minutes")
    browser.button("Record").click()
    browser.sees("1.0 s")
    browser.script("const send = document.querySelector('.submit .primary'); send.click(); send.click(); send.form.requestSubmit();")
    browser.wait(lambda: len(browser.all(".submitted > article")) == 1)
    assert [request["jobs"] for request, _, _ in world.submitted] == [[{"kind": "text", "payload": "Minutes"}, {"kind": "audio", "file": "file0"}]]


def test_the_same_submit_again_has_the_same_key_and_a_changed_one_another(browser, world):
    browser.expected_errors = ["503", "422"]
    browser.open("#/submit")
    browser.find("#text").send_keys("Hello")
    keys = lambda: [headers["Idempotency-Key"] for method, path, headers in world.log if path == "/v1/requests" and method == "POST"]
    world.problems = {"/v1/requests": (503, "busy", "the scheduler is busy")}
    browser.find(".submit .primary").click()
    browser.sees("the scheduler is busy")
    browser.find(".submit .primary").click()
    browser.wait(lambda: len(keys()) == 2)
    browser.find("#text").send_keys(" again")
    world.problems = {}
    browser.find(".submit .primary").click()
    browser.wait(lambda: len(keys()) == 3)
    assert keys()[0] == keys()[1] != keys()[2]


def test_a_refused_field_is_named_and_nothing_is_lost(browser, world):
    browser.expected_errors = ["422"]
    browser.open("#/submit")
    browser.script(DROP, [["a.bin", "", 10]])
    kind = browser.find("[aria-label='Kind of a.bin']")
    kind.clear()
    kind.send_keys("nonsense")
    browser.find(".submit .primary").click()
    browser.sees("jobs[0].kind is no kind here")
    assert len(browser.all(".files li")) == 1


def test_a_recording_is_a_wav_file_that_decoders_read(browser, world):
    browser.open("#/submit")
    browser.button("Record").click()
    browser.sees("2.0 s")
    browser.button("Stop recording").click()
    browser.wait(lambda: len(browser.all(".files li")) == 1)
    browser.find(".submit .primary").click()
    browser.wait(lambda: world.submitted)
    request, files, _ = world.submitted[0]
    assert request["jobs"] == [{"kind": "audio", "file": "file0"}]
    with wave.open(io.BytesIO(files["file0"][1])) as sound:
        assert (sound.getnchannels(), sound.getsampwidth(), sound.getframerate()) == (1, 2, 16_000)
        assert sound.getnframes() >= 2 * 16_000
        # Chromium's stand-in for a microphone beeps.
        assert max(abs(int.from_bytes(sound.readframes(1)[:2], "little", signed=True)) for _ in range(sound.getnframes())) > 1_000


def test_many_submits_hold_few_streams_and_all_show_their_results(browser, world):
    browser.open("#/submit")
    for number in range(4):
        browser.find("#text").send_keys(f"Text {number}")
        browser.find(".submit .primary").click()
        browser.wait(lambda: len(world.submitted) == number + 1 and len(browser.all(".submitted > article")) == number + 1)
    browser.wait(lambda: len(world.streams) == 2)
    for number, job in enumerate(list(world.jobs.values())):
        world.start(job)
        world.end(job, result={"text": f"Result {number}"})
    for number in range(4):
        browser.sees(f"Result {number}", ".submitted")


def test_nothing_is_submitted_from_an_empty_form(browser, world):
    browser.open("#/submit")
    browser.find(".submit .primary").click()
    browser.sees("There is nothing to submit")
    assert json.dumps(world.submitted) == "[]"
