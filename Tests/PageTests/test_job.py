"""One job: live, in order, once; and one request with all of its jobs."""

from demo import SEGMENTS, TRANSCRIPT, chain, several
from mock import tone


def watched(browser, world, job):
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: len(world.streams) == 1)
    return job


def test_progress_output_and_result_appear_while_one_looks(browser, world):
    job = world.job("audio", payload=tone())
    world.start(job)
    watched(browser, world, job)
    world.publish(job, "job.progress", {"fraction": 0.42, "text": "126 s transcribed"})
    browser.sees("42 % · 126 s transcribed")
    world.publish(job, "job.output", {"text": '{"start": 0, "end": 1, "text": "And now"}\n{"sta', "begins": True, "left_out": 0})
    world.publish(job, "job.output", {"text": 'rt": 1.25, "end": 2, "text": "the weather."}\nplain words', "begins": False, "left_out": 0})
    browser.wait(lambda: browser.text(".output").split() == ["0:00.0And", "now", "0:01.3the", "weather.", "plain", "words"] or browser.text(".output"))
    browser.sees("the weather.", ".output")
    browser.sees("plain words", ".output")
    world.end(job, result=TRANSCRIPT)
    browser.sees(SEGMENTS[2]["text"], ".transcript")
    browser.wait(lambda: browser.all(".output") == [])
    browser.sees("Job is succeeded.", "#announcer")


def test_every_fact_has_a_value(browser, world):
    job = world.job("text")
    world.start(job)
    world.end(job, result={"words": 1})
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("Priority", ".facts")
    assert all(value.text for value in browser.all(".facts dd"))


def test_output_of_a_new_attempt_replaces_that_of_the_last(browser, world):
    job = world.job("text")
    world.start(job)
    watched(browser, world, job)
    world.publish(job, "job.output", {"text": "first try\n", "begins": True, "left_out": 0})
    browser.sees("first try", ".output")
    world.publish(job, "job.output", {"text": "second try\n", "begins": True, "left_out": 2_048})
    browser.sees("second try", ".output")
    assert "first try" not in browser.text(".output")
    browser.sees("2.0 kB before this are not shown")


def test_a_stream_that_breaks_goes_on_where_it_was(browser, world):
    job = world.job("text")
    world.start(job)
    watched(browser, world, job)
    world.publish(job, "job.output", {"text": "one\n", "begins": True, "left_out": 0})
    browser.sees("one", ".output")
    number = len(world.events)
    world.drop_streams()
    browser.wait(lambda: not world.streams)
    world.publish(job, "job.output", {"text": "two\n", "begins": False, "left_out": 0})
    browser.sees("two", ".output")
    assert browser.text(".output").split() == ["one", "two"]
    headers = [headers for _, path, headers in world.log if "/events?ticket=" in path]
    assert [one.get("Last-Event-ID") for one in headers] == [None, str(number)]
    tickets = [path for _, path in browser.asked() if "/events?ticket=" in path]
    assert len(set(tickets)) == 2 and not any("Authorization" in one for one in headers)


def test_a_final_job_is_not_asked_for_again(browser, world):
    job = world.job("text", payload=b"Hello")
    world.start(job)
    world.end(job, result={"text": "Hello, Ada"})
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("Hello, Ada")
    browser.wait(lambda: not world.streams)
    before = len(world.log)
    browser.go("#/jobs")
    browser.sees("Tenant")
    assert not any(job["id"] in path for _, path in browser.asked(before))


def test_a_job_says_why_it_waits(browser, world):
    job = world.job("text", waiting_because="every slot that could take it is busy (8 of 8)")
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("Waits: every slot that could take it is busy (8 of 8)")


def test_attempts_are_a_timeline_with_words(browser, world):
    job = several(world)
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("out_of_memory the handler used more than 2 GB", ".timeline")
    rows = [row.text.replace("\n", " ") for row in browser.all(".timeline li")]
    assert "waited 2.0 s" in rows[0]
    assert "Attempt 1 node-1/worker-1 lost" in rows[1] and "went on in node-1/worker-2" in rows[1]
    assert "Attempt 2" in rows[2] and "returned" in rows[2]
    assert "Attempt 4" in rows[4] and "running for 1" in rows[4]
    bars = browser.script("return [...document.querySelectorAll('.timeline rect')].map((bar) => [bar.getAttribute('class'), parseFloat(bar.getAttribute('x')), parseFloat(bar.getAttribute('width'))])")
    ran = [bar for bar in bars if bar[0].split()[1] in ("lost", "returned", "failed", "running")]
    assert [bar[0] for bar in ran] == ["bar lost", "bar returned", "bar failed", "bar running"]
    assert all(start + width <= 100.5 and width >= 0.4 for _, start, width in ran)
    assert all(first[1] + first[2] <= second[1] + 0.1 for first, second in zip(ran, ran[1:]))


def test_an_attempt_that_was_handed_back_unstarted_says_so(browser, world):
    job = several(world)
    job["attempts"][1]["started_at"] = None
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("returned held 2.0 s, not started, went on in node-2/worker-2", ".timeline")


def test_what_one_selects_stays_selected_while_it_runs(browser, world):
    job = several(world)
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("out_of_memory", ".timeline")
    browser.script("getSelection().selectAllChildren(document.querySelectorAll('.timeline .label')[3])")
    before = browser.text(".timeline li:nth-child(5)")
    browser.wait(lambda: browser.text(".timeline li:nth-child(5)") != before)
    assert "out_of_memory" in browser.script("return String(getSelection())")


def test_a_part_of_a_transcript_plays_from_its_place(browser, world):
    job = world.job("audio", payload=tone())
    world.start(job)
    world.end(job, result=TRANSCRIPT)
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: browser.script("return document.querySelector('audio')?.readyState > 0"))
    browser.button("0:01.8").click()
    browser.wait(lambda: browser.script("return document.querySelector('audio').currentTime") >= 1.8)
    browser.wait(lambda: browser.script("return document.querySelector('.transcript [aria-current]')?.innerText").endswith(SEGMENTS[2]["text"]))


def test_a_failed_job_says_why_and_is_retried_as_a_new_one(browser, world):
    job = world.job("file")
    world.start(job)
    world.end(job, "failed", error_class="broken_file", error="the PDF has no pages")
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("the PDF has no pages", ".failure")
    browser.button("Retry").click()
    browser.find("dialog [type=submit]").click()
    browser.wait(lambda: "Retry of" in browser.text() and job["id"] in browser.text(".facts"))


def test_cancelling_asks_first_and_says_that_it_cannot_be_undone(browser, world):
    job = world.job("text")
    browser.open(f"#/jobs/{job['id']}")
    browser.button("Cancel").click()
    browser.sees("This cannot be undone.", "dialog")
    assert world.orders == []
    browser.find("dialog [type=submit]").click()
    browser.sees("cancelled")


def test_a_request_is_a_graph_of_links(browser, world):
    first = chain(world)
    browser.open(f"#/requests/{first['id']}")
    browser.wait(lambda: len(browser.all("a.node")) == 5)
    assert len(browser.script("return [...document.querySelectorAll('.edge')]")) == 5
    places = browser.script("return [...document.querySelectorAll('a.node rect:first-child')].map((one) => Number(one.getAttribute('x')))")
    assert places[0] == places[1] < places[2] == places[3] < places[4]
    assert browser.all("a.node")[4].accessible_name == "Job 4, index, blocked"


def test_results_of_a_request_appear_as_its_jobs_end(browser, world):
    first = chain(world)
    browser.open(f"#/requests/{first['id']}")
    browser.sees(SEGMENTS[0]["text"])
    browser.wait(lambda: world.streams)
    second = world.of_request(first["id"])[1]
    world.publish(second, "job.output", {"text": "half of it\n", "begins": True, "left_out": 0})
    browser.sees("half of it")
    world.end(second, result={"text": "All of it."})
    browser.sees("All of it.")
    for job in world.of_request(first["id"])[2:]:
        world.end(job, result={"text": f"Result {job['index']}"})
    browser.sees("Result 4")
    browser.sees("Request is succeeded.", "#announcer")
    browser.wait(lambda: not world.streams)


def test_four_thousand_jobs_of_a_request_stay_readable(browser, world):
    first = world.job("text", "succeeded", ended_at="2026-11-26T01:00:00Z")
    for index in range(1, 4_096):
        world.job("text", "blocked" if index % 3 else "succeeded", request=first["id"], index=index)
    browser.open(f"#/requests/{first['id']}")
    browser.sees("4,096: 1,366 succeeded, 2,730 blocked")
    browser.sees("1 to 25 of 4,096")
    assert browser.script("return document.querySelectorAll('a, button, summary').length") < 200
    browser.button("Later").click()
    browser.sees("26 to 50 of 4,096")


def test_an_unknown_job_is_a_problem_with_what_to_do(browser):
    browser.expected_errors = ["404"]
    browser.open("#/jobs/17")
    browser.sees("no such job is known")
    browser.sees("Check the id.")
