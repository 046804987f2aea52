"""What operators do on the page, with everything real behind it."""

import os
import re

from stack import until


def test_the_overview_shows_what_runs_and_where(browser, stack):
    [job] = stack.submit({"kind": "stream", "payload": '{"pieces": 600, "ms": 100}'})
    browser.open()
    # Beside two for jobs there are those for webhooks.
    browser.wait(lambda: re.search(r"[1-9]\d* of \d+ slots busy", browser.text()))
    browser.wait(lambda: any(row.text.split()[:2] == ["stream", "1"] for row in browser.all("tbody tr")))
    browser.go(f"#/jobs/{job}")
    browser.wait(lambda: " pieces" in browser.text(".progress"))
    browser.sees("piece 1", ".output")
    browser.press("Cancel")
    browser.sees("if it runs it is stopped", "dialog")
    browser.press("Cancel the job")
    browser.sees("cancelled", "header .stands")
    assert stack.finished(job)["state"] == "cancelled"


def test_what_waits_says_why_and_runs_once_the_pause_is_over(browser, stack):
    stack.finished(stack.submit({"kind": "echo", "payload": "first"})[0])
    browser.open()
    browser.press("Pause echo")
    browser.sees("its jobs start no more", "dialog")
    browser.find("dialog [type=submit]:enabled").click()
    browser.wait(lambda: browser.button("Resume echo"))
    first, second = stack.submit({"kind": "echo", "payload": "Hello"}, {"kind": "echo", "payload": "then", "after": [0]})
    browser.go(f"#/jobs/{first}")
    browser.sees("paused", ".notice")
    browser.go(f"#/requests/{first}")
    browser.sees("it needs other jobs of its request first")
    browser.go("#/")
    browser.press("Resume echo")
    browser.find("dialog [type=submit]:enabled").click()
    assert stack.finished(second)["state"] == "succeeded"
    browser.go(f"#/requests/{first}")
    browser.sees("Hello", ".panel")


def test_dead_letters_are_counted_retried_and_dropped(browser, stack):
    for number in range(3):
        stack.submit({"kind": "fail", "payload": '{"message": "the disk is full", "retryable": false}'})
    [other] = stack.submit({"kind": "fail", "payload": '{"message": "no such page", "retryable": false}'})
    stack.finished(other)
    browser.open("#/dead?kind=fail")
    browser.wait(lambda: any(row.text.startswith("3 fail") and "the disk is full" in row.text for row in browser.all("tbody tr")))
    browser.press("Retry all of kind fail")
    browser.sees("4 dead letters fit", "dialog")
    browser.press("Retry 4")
    # What they become fails again.
    def retried():
        letters = stack.call("/v1/dead-letters?kind=fail")["letters"]
        return len(letters) == 4 and other not in letters[0]["id"]

    until("the retries are dead letters", retried)
    assert stack.call(f"/v1/jobs/{other}")["retried_as"]
    browser.press("Drop all of kind fail")
    browser.sees("4 dead letters fit", "dialog")
    browser.press("Drop 4")
    browser.sees("Nothing failed for good.")
    assert stack.call("/v1/dead-letters?kind=fail")["letters"] == []


def test_a_tenant_sees_its_own_alone(browser, stack):
    [own] = stack.submit({"kind": "echo", "payload": "mine"}, tenant="acme")
    [other] = stack.submit({"kind": "echo", "payload": "theirs"}, tenant="globex")
    stack.finished(own), stack.finished(other)
    browser.token = lambda: stack.tenant_token("acme", "read")
    browser.open("#/jobs")
    browser.sees(own[-6:])
    assert other[-6:] not in browser.text()
    browser.expected_errors = ["404"]
    browser.go(f"#/jobs/{other}")
    browser.sees("not")
    assert "theirs" not in browser.text() and browser.all(".actions button") == []


def test_a_job_is_followed_on_over_a_gateway_that_dies(browser, stack):
    browser.expected_errors = ["ERR_"]
    [job] = stack.submit({"kind": "stream", "payload": '{"pieces": 600, "ms": 100}'})
    browser.open(f"#/jobs/{job}")
    browser.wait(lambda: " pieces" in browser.text(".progress"))
    before = stack.ready["pids"]["gateway"]
    os.kill(before, 9)
    until("another gateway serves", lambda: stack.ready["pids"]["gateway"] not in (None, before), stack.process)
    reached = int(browser.text(".progress").split()[0])
    browser.wait(lambda: int(browser.text(".progress").split()[0]) > reached + 1 and browser.text("#banner") == "")
    browser.find(".streaming.live")
    stack.call(f"/v1/jobs/{job}/cancel", {})
    browser.sees("cancelled", "header .stands")


def test_a_hidden_tab_holds_no_stream(browser, stack):
    [job] = stack.submit({"kind": "stream", "payload": '{"pieces": 600, "ms": 100}'})
    browser.open(f"#/jobs/{job}")
    browser.wait(lambda: stack.streams() == 1)
    page = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.wait(lambda: stack.streams() == 0)
    finally:
        browser.driver.close()
        browser.driver.switch_to.window(page)
    browser.wait(lambda: stack.streams() == 1)
    stack.call(f"/v1/jobs/{job}/cancel", {})
    browser.sees("cancelled", "header .stands")
    browser.wait(lambda: stack.streams() == 0)
