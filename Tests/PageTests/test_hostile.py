"""Whatever strangers write is text."""

import pytest

ATTACKS = [
    "<img src=x onerror=window.pwned=1>", "<script>window.pwned=1</script>", "\"><svg onload=window.pwned=1>", "javascript:window.pwned=1",
    "'-window.pwned=1-'", "{{constructor.constructor('window.pwned=1')()}}", "<iframe srcdoc='<script>parent.pwned=1</script>'>", "</textarea><script>window.pwned=1</script>",
    "<style>*{background:url(http://attacker.example/)}</style>", "__proto__", "constructor", "\u202egnp.exe", "\u0000\u0007\u001b[31m", "a" * 5_000, "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍👩‍👧‍👦 عربي", "../../etc/passwd?#",
]
STRANGE = "return [window.pwned, document.querySelectorAll('main img, main script, main iframe, main style, [onerror], [onload], a[href^=\"javascript\"]').length, ({}).polluted]"


@pytest.mark.parametrize("view", ["#/", "#/jobs", "#/requests", "#/dead", "job", "request"])
def test_names_and_errors_are_text_in_every_view(browser, world, view):
    browser.expected_errors = ["404"]
    jobs = []
    for index, attack in enumerate(ATTACKS):
        job = world.job(attack, request=jobs[0]["id"] if jobs else None, index=index, tenant=attack, worker=attack, tags=[attack], labels=[attack], payload=attack.encode(),
                        after=[index - 1] if index else [], waiting_because=attack)
        world.start(job, attack)
        jobs.append(job)
        world.letters.append({"id": job["id"], "request": job["id"], "kind": attack, "tenant": attack, "state": "dead", "ended_at": attack, "error_class": attack, "error": attack,
                              "tags": [attack], "retried_as": None, "dropped": False})
        world.workers.append({"name": attack, "state": attack, "slots": 3, "leases": 1, "kinds": [attack], "labels": [attack], "succeeded": 1, "failed": 1})
        if index % 2:
            world.end(job, "dead", error_class=attack, error=attack)
        else:
            world.end(job, result={"text": attack, attack: attack, "summary": [attack], "key_phrases": [attack], "segments": [{"start": 0, "end": 1, "text": attack}], "other": {"deep": [attack]}})
    address = {"job": f"#/jobs/{jobs[0]['id']}", "request": f"#/requests/{jobs[0]['id']}"}.get(view, view)
    browser.open(address)
    browser.sees("<img src=x onerror=")
    assert browser.script(STRANGE) == [None, 0, None]
    assert "\u202e" not in browser.text() and "\u001b" not in browser.text()
    assert browser.script("return document.documentElement.scrollWidth <= innerWidth")


def test_live_text_and_file_names_are_text(browser, world):
    job = world.job("text", "running")
    world.start(job)
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: world.streams)
    for attack in ATTACKS:
        world.publish(job, "job.output", {"text": attack + "\n", "begins": False, "left_out": 0})
        world.publish(job, "job.progress", {"fraction": attack, "text": attack})
        world.publish(job, attack.replace("\n", " ")[:100], {"text": attack})
    browser.sees("/etc/passwd", ".output")
    browser.sees("/etc/passwd", ".progress")
    assert browser.script(STRANGE) == [None, 0, None]
    browser.go("#/submit")
    browser.find("#text")
    browser.script("for (const name of arguments[0]) { const files = new DataTransfer(); files.items.add(new File(['x'], name)); document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: files})); }", ATTACKS)
    browser.wait(lambda: len(browser.all(".files li")) == len(ATTACKS))
    assert browser.script(STRANGE) == [None, 0, None]


@pytest.mark.parametrize("content", [b"<html><script>parent.pwned=1;window.pwned=1</script></html>", b"<svg xmlns='http://www.w3.org/2000/svg' onload='window.pwned=1'/>", b"%PDF-1.7 /JS (app.alert(1))"])
def test_an_input_that_is_a_page_is_shown_as_text(browser, world, content):
    job = world.job("file", payload=content)
    browser.open(f"#/jobs/{job['id']}")
    browser.sees(content.decode()[:12], ".content")
    assert browser.script(STRANGE) == [None, 0, None]
    assert browser.find(".save a").get_attribute("download") == f"input-{job['id']}"


def test_an_address_from_a_stranger_opens_nothing_else(browser, world):
    browser.expected_errors = ["404"]
    browser.open("#/jobs/..%2F..%2Fv1%2Fstatus")
    browser.sees("no such job is known")
    assert ("GET", "/v1/jobs/..%2F..%2Fv1%2Fstatus") in browser.asked()
    for address in ("#/constructor", "#/__proto__/x", "#/jobs/%", "#//attacker.example", "#/dead?kind=%00<script>"):
        browser.go(address)
        browser.find("h1")
    assert browser.script(STRANGE) == [None, 0, None]


def test_the_policy_refuses_what_is_injected(browser):
    browser.expected_errors = ["Content Security Policy", "TrustedHTML", "Trusted"]
    browser.open()
    browser.find("h1")
    refused = browser.script("""
        const script = document.createElement('script');
        try { script.append('window.pwned = 1'); document.body.append(script); } catch {}
        try { document.querySelector('main').innerHTML = '<b>x</b>'; return 'taken'; } catch (error) { return error.name; }
    """)
    assert refused == "TypeError" and browser.script("return window.pwned") is None
