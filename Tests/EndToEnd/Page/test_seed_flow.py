"""What all of it is for: a person submits a text, a recording and a document on the page, watches, and reads the results;
and the services that wait for it are told."""

import difflib
import re

from stack import Heard, until

TEXT = "Statex turns requests into jobs. Workers run the jobs. Nothing that was acknowledged is lost."

# What was seen while it ran, not only what stands there at the end.
WATCH = """
const place = document.querySelector('.submitted');
window.seen = new Set();
new MutationObserver(() => {
  for (const one of place.querySelectorAll('.progress .hint, .output p, summary .state, header .stands')) if (one.checkVisibility()) window.seen.add(one.innerText.trim());
}).observe(place, {subtree: true, childList: true, characterData: true, attributes: true});
"""


def words(text):
    return re.sub(r"[^a-z ]", "", text.lower().replace("mr.", "mister").replace("-", " ")).split()


def test_a_person_submits_a_text_a_recording_and_a_document_and_reads_the_results(browser, stack, receiver, speech, manual):
    events = Heard(stack)
    browser.open(signed_in=False)
    browser.find("#token").send_keys(stack.token)
    browser.press("Sign in")
    browser.sees("Queues")
    browser.press("Submit")
    browser.find("#text").send_keys(TEXT)
    browser.press("Record")
    browser.wait(lambda: (timer := re.match(r"(\d+)", browser.text("[role=timer]"))) and int(timer[1]) > speech.seconds)
    browser.press("Stop recording")
    browser.wait(lambda: len(browser.all(".files li")) == 1)
    browser.driver.find_element("id", "files").send_keys(str(manual))
    browser.wait(lambda: len(browser.all(".files li")) == 2)
    browser.script(WATCH)
    browser.find(".submit .primary").click()

    browser.wait(lambda: "succeeded" in browser.text(".submitted header .stands"), "the request did not succeed")
    seen = browser.script("return [...window.seen]")
    assert any(re.search(r"\d+ %", one) for one in seen), f"no progress was shown: {seen}"
    assert any(one.startswith("open") for one in seen), seen
    request = browser.find(".submitted header a").get_attribute("href").rpartition("/")[2]
    text, audio, document = (job["id"] for job in stack.call(f"/v1/requests/{request}")["jobs"])

    # Read where they were submitted.
    browser.wait(lambda: browser.all(".submitted .transcript button"), "there is no transcript")
    panels = browser.all(".submitted .panel")
    assert [panel.find_element("css selector", "summary strong").text for panel in panels] == ["text", "audio", "file"]
    assert TEXT in panels[0].text and "Most central sentences" in panels[0].text
    said = words(" ".join(part.text for part in browser.all(".submitted .transcript .text")))
    likeness = difflib.SequenceMatcher(None, speech.said, said, autojunk=False).ratio()
    assert likeness > 0.85, f"{likeness:.0%} of {speech.said} is in {said}"
    assert "bzip2" in panels[2].text and "Burrows-Wheeler" in panels[2].text

    # The recording plays beside its transcript, from the part that one chooses.
    browser.script("return document.querySelector('.submitted .panel audio').readyState > 0 || new Promise((done) => document.querySelector('.submitted .panel audio').onloadedmetadata = done)")
    assert abs(browser.script("return document.querySelector('.submitted .panel audio').duration") - speech.seconds) < 5
    parts = browser.all(".submitted .transcript button")
    parts[-1].click()
    browser.wait(lambda: parts[-1].get_attribute("aria-current") == "true" and browser.script("const one = document.querySelector('.submitted .panel audio'); return !one.paused && one.currentTime > 0"))
    browser.script("document.querySelector('.submitted .panel audio').pause()")

    # How it came to be: the attempt in its worker.
    browser.go(f"#/jobs/{audio}")
    browser.sees("succeeded", ".timeline")
    assert stack.call(f"/v1/jobs/{audio}")["attempts"][0]["worker"].split("/")[0] in browser.text(".timeline")
    browser.go("#/requests")
    browser.sees(request[-6:])

    # And the services that wait for it.
    until("request.completed is on the stream of events", lambda: "request.completed" in events.of(request))
    assert events.of(request).count("request.completed") == 1 and events.of(request)[0] == "request.created"
    assert events.of(request).count("job.succeeded") == 3
    until("a signed webhook came", lambda: f"request.completed {request}" in receiver.messages())
