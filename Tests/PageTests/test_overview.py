"""What operators look at, and order from there."""


def worker(name="worker-1", **fields):
    return {"name": name, "state": "serving", "slots": 4, "leases": 3, "kinds": ["text"], "labels": [], "succeeded": 10, "failed": 0, **fields}


def test_queues_show_what_waits_and_for_how_long(browser, world):
    world.extra_queues = [{"kind": "embed", "queued": 1_234, "delayed": 5, "blocked": 6, "leased": 7, "backlog_seconds": 192.0, "oldest_seconds": 65.0, "paused": False}]
    browser.open()
    browser.sees("1,234")
    row = browser.find("tbody tr").text.split("\n")
    assert " ".join(row).split() == ["embed", "7", "1,234", "5", "6", "3", "min", "12", "s", "1", "min", "5", "s", "Pause"]


def test_the_backlog_is_shared_by_the_slots_that_serve_it(browser, world):
    world.extra_queues = [{"kind": "embed", "queued": 1_234, "delayed": 0, "blocked": 0, "leased": 12, "backlog_seconds": 1_200.0, "oldest_seconds": 5.0, "paused": False}]
    world.workers = [worker("a", kinds=[{"kind": "embed"}]), worker("b", kinds=[{"kind": "embed"}, {"kind": "text"}]), worker("c", kinds=[{"kind": "text"}]), worker("d", kinds=[{"kind": "embed"}], state="draining")]
    browser.open()
    browser.wait(lambda: "2 min 30 s" in browser.find("tbody tr").text)
    assert "2 min 30 s" in browser.find(".figures").text


def test_a_tenant_is_not_told_who_paused(browser, world):
    world.paused = ["text"]
    world.tells_who_paused = False
    browser.open()
    browser.sees("Paused: kind text")
    assert "undefined" not in browser.find(".notice").text and "by" not in browser.find(".notice").text


def test_slots_are_drawn_as_a_grid_with_what_is_held_beyond_them(browser, world):
    world.workers = [worker("busy", leases=6), worker("idle", leases=0)]
    browser.open()
    browser.sees("4 of 8 slots busy")
    assert [len(card.find_elements("css selector", ".busy")) for card in browser.all(".worker")] == [4, 0]
    browser.sees("+2 held")


def test_rates_are_drawn_from_what_was_counted_between_two_looks(browser, world):
    browser.open()
    browser.wait(lambda: sum(path == "/v1/status" for _, path in browser.asked()) >= 2)
    world.counts["succeeded"] += 500
    browser.wait(lambda: "M" in browser.script("return document.querySelector('.plot .line.good').getAttribute('d')"))
    browser.wait(lambda: float(browser.text(".legend .good b").replace(",", "") or 0) > 10)


def test_pausing_a_kind_asks_first(browser, world):
    world.job("text")
    browser.open()
    browser.button("Pause text").click()
    browser.button("Cancel").click()
    assert world.orders == []
    browser.button("Pause text").click()
    browser.find("dialog [type=submit]").click()
    browser.sees("Paused: kind text (by ada)")
    assert world.orders == [("/v1/pause", {"kind": "text"})]
    browser.button("Resume text").click()
    browser.find("dialog [type=submit]").click()
    browser.wait(lambda: ("/v1/resume", {"kind": "text"}) in world.orders)


def test_a_worker_is_drained_by_its_whole_name(browser, world):
    world.workers = [worker("node-1/worker a?b")]
    browser.open()
    browser.button("Drain node-1").click()
    browser.find("dialog [type=submit]").click()
    browser.wait(lambda: world.orders == [("/v1/workers/node-1%2Fworker%20a%3Fb/drain", {})])


def test_a_thousand_workers_are_found_by_name(browser, world):
    world.workers = [worker(f"worker-{number:04}", slots=64) for number in range(1_000)]
    browser.open()
    browser.sees("48 of 1,000 workers shown")
    browser.find("[aria-label^='Find workers']").send_keys("worker-0777")
    browser.wait(lambda: [card.text.split("\n")[0] for card in browser.all(".worker")] == ["worker-0777"])


def test_filters_of_a_list_are_part_of_its_address(browser, world):
    world.job("audio")
    world.end(world.job("text"), "failed", error_class="broken", error="it broke")
    browser.open("#/jobs")
    browser.sees("audio")
    browser.find("select[name=state]").send_keys("failed")
    browser.wait(lambda: browser.driver.current_url.endswith("#/jobs?state=failed"))
    browser.wait(lambda: "it broke" in browser.text("tbody") and "audio" not in browser.text("tbody"))
    browser.driver.back()
    browser.sees("audio", "tbody")


def test_a_filter_is_typed_without_losing_the_focus(browser, world):
    world.job("audio")
    world.job("text")
    browser.open("#/jobs")
    browser.sees("audio", "tbody")
    browser.tab_to("Kind")
    browser.type("text", "\ue004")
    browser.wait(lambda: "audio" not in browser.text("tbody"))
    assert browser.driver.switch_to.active_element.accessible_name == "Tenant"
    browser.type("acme", "\ue007")
    browser.wait(lambda: browser.driver.current_url.endswith("#/jobs?kind=text&tenant=acme"))
    browser.button("Clear").click()
    browser.sees("audio", "tbody")


def test_an_empty_page_with_a_cursor_is_followed(browser, world):
    job = world.job("text")
    answers = iter([([], "9"), ([], "8")])
    world.canned = {"/v1/jobs": lambda: dict(zip(("jobs", "next"), next(answers, ([job], None))))}
    browser.open("#/jobs")
    browser.sees(job["id"][-8:])
    assert [path for _, path in browser.asked() if path.startswith("/v1/jobs")][:3] == ["/v1/jobs?limit=50", "/v1/jobs?limit=50&cursor=9", "/v1/jobs?limit=50&cursor=8"]


def test_a_long_search_is_not_repeated_by_itself(browser, world):
    world.canned = {"/v1/jobs": lambda: {"jobs": [], "next": "7"}}
    browser.open("#/jobs?kind=rare")
    browser.sees("Show looks again")
    asked = len(browser.asked())
    # Nothing says that nothing comes: more than one round of this view (3 s) has to pass.
    browser.script("return new Promise((done) => setTimeout(done, 4000))")
    assert len(browser.asked()) == asked
    world.canned = {}
    job = world.job("rare")
    browser.button("Show").click()
    browser.sees(job["id"][-8:])


def test_an_answer_of_another_version_is_said_and_does_not_break_the_page(browser, world):
    browser.expected_errors = ["Uncaught TypeError"]
    world.canned = {"/v1/queues": lambda: {"kinds": []}}
    browser.open()
    browser.sees("This page does not understand the gateway")
    browser.go("#/submit")
    browser.find("#text")


def test_older_and_newest_walk_through_a_list(browser, world):
    ids = [world.job("text")["id"] for _ in range(120)]
    browser.open("#/jobs")
    browser.button("Older").click()
    browser.sees(ids[69][-8:])
    browser.wait(lambda: len(browser.all("tbody tr")) == 50)
    browser.button("Newest").click()
    browser.sees(ids[119][-8:])
