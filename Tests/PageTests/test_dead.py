"""Dead letters: counted before anything is ordered."""

import pytest


@pytest.fixture
def letters(world):
    def add(kind, error_class, error, count, tenant="acme"):
        for _ in range(count):
            world.next_id += 1
            world.letters.append({"id": str(world.next_id), "request": str(world.next_id), "kind": kind, "tenant": tenant, "state": "dead", "ended_at": "2026-11-26T01:00:00.000000Z",
                                  "error_class": error_class, "error": error, "tags": [], "retried_as": None, "dropped": False})

    add("audio", "timeout", "the attempt ran past its limit", 41)
    add("file", "broken_file", "no pages\nat byte 17", 3)
    return add


def test_letters_are_grouped_by_error(browser, letters):
    browser.open("#/dead")
    browser.sees("41")
    rows = [" ".join(row.text.split()) for row in browser.all("section:first-of-type tbody tr")]
    assert rows[0].startswith("41 audio timeout the attempt ran past its limit") and rows[1].startswith("3 file broken_file no pages")


def test_a_retry_says_how_many_before_it_is_ordered(browser, world, letters):
    browser.open("#/dead")
    browser.button("Retry all of kind audio, error class timeout").click()
    browser.sees("41 dead letters fit", "dialog")
    filter = {"kind": "audio", "error_class": "timeout"}
    assert world.orders == [("/v1/dead-letters/retry", {**filter, "dry_run": True})]
    browser.find("#rate").send_keys("20")
    browser.button("Retry 41").click()
    browser.wait(lambda: world.orders[1:] == [("/v1/dead-letters/retry", {**filter, "per_second": 20})])
    browser.wait(lambda: "timeout" not in browser.text("main section"))


def test_a_drop_says_that_it_cannot_be_undone_and_can_be_left(browser, world, letters):
    browser.open("#/dead?kind=file")
    browser.button("Drop all of kind file").click()
    browser.sees("This cannot be undone.", "dialog")
    browser.button("Cancel").click()
    assert [body.get("dry_run") for _, body in world.orders] == [True]
    browser.button("Drop all of kind file").click()
    browser.button("Drop 3").click()
    browser.sees("Nothing failed for good.")
    assert world.orders[-1] == ("/v1/dead-letters/drop", {"kind": "file"})


def test_an_order_from_a_row_says_that_it_reaches_rows_with_another_text_too(browser, world, letters):
    letters("file", "broken_file", "disk full", 2)
    browser.open("#/dead")
    browser.button("Drop all of kind file, error class broken_file, among them: no pages").click()
    browser.sees("5 dead letters fit", "dialog")
    browser.sees("2 of them are not in this row (no pages)", "dialog")
    browser.button("Cancel").click()
    browser.button("Drop all of kind file, error class broken_file, among them: disk full").click()
    browser.sees("3 of them are not in this row (disk full)", "dialog")
    browser.button("Cancel").click()
    # Where a row is all that fits there is nothing to say, nor of what is ordered without a row.
    browser.button("Drop all of kind audio, error class timeout").click()
    browser.sees("41 dead letters fit", "dialog")
    assert "in this row" not in browser.text("dialog")
    browser.button("Cancel").click()
    browser.button("Retry all dead letters").click()
    browser.sees("46 dead letters fit", "dialog")
    assert "in this row" not in browser.text("dialog") and [body.get("dry_run") for _, body in world.orders] == [True] * 4


def test_an_order_goes_on_from_where_it_stopped_looking(browser, world, letters):
    world.order_step = 20
    browser.open("#/dead")
    browser.button("Drop all dead letters").click()
    browser.sees("At least 20 dead letters fit", "dialog")
    browser.sees("It was counted only so far", "dialog")
    browser.button("Drop 20").click()
    browser.sees("Nothing failed for good.")
    assert world.letters == [] and not browser.all("dialog")
    bodies = [body for _, body in world.orders]
    assert bodies[:2] == [{"all": True, "dry_run": True}, {"all": True}]
    cursors = [int(body["cursor"]) for body in bodies[2:]]
    assert len(cursors) == 2 and cursors == sorted(cursors)


def test_what_is_counted_whole_says_nothing_of_more(browser, world, letters):
    world.order_step = 44
    browser.open("#/dead")
    browser.button("Drop all dead letters").click()
    browser.sees("44 dead letters fit", "dialog")
    assert "At least" not in browser.text("dialog") and "only so far" not in browser.text("dialog")


def test_orders_of_so_many_a_second_are_given_one_after_the_other(browser, world, letters):
    world.order_step, world.orders_go_on = 40, True
    browser.open("#/dead")
    browser.button("Retry all dead letters").click()
    browser.sees("At least 40 dead letters fit", "dialog")
    browser.find("#rate").send_keys("5")
    browser.button("Retry 40").click()
    browser.sees("Ordered for the oldest 40 that fit.", "dialog")
    assert [body for _, body in world.orders[1:]] == [{"all": True, "per_second": 5}]
    browser.button("Go on").click()
    browser.wait(lambda: not browser.all("dialog"))
    assert world.letters == [] and len(world.orders) == 3
    last = world.orders[-1][1]
    assert last.pop("cursor") and last == {"all": True, "per_second": 5}


def test_an_order_that_fails_stays_in_its_dialog(browser, world, letters):
    browser.expected_errors = ["503"]
    browser.open("#/dead")
    browser.button("Retry all of kind file, error").click()
    browser.sees("3 dead letters fit", "dialog")
    world.problems = {"/v1/dead-letters/retry": (503, "unavailable", "the scheduler does not answer")}
    browser.button("Retry 3").click()
    browser.sees("the scheduler does not answer", "dialog")
    world.problems = {}
    browser.button("Retry 3").click()
    browser.wait(lambda: len(world.letters) == 41)


def test_ten_thousand_letters_come_in_pages(browser, world, letters):
    letters("text", "crash", "exit code 1", 10_000)
    browser.open("#/dead")
    browser.sees("10,000")
    assert len(browser.all("tbody tr")) == 3 + 50
    first = browser.all("section:last-of-type tbody tr")[0].text
    browser.button("Older").click()
    browser.wait(lambda: browser.all("section:last-of-type tbody tr")[0].text != first)
    assert len(browser.all("tbody tr")) == 3 + 50


def test_groups_that_come_in_steps_are_one_list(browser, world, letters):
    world.step = 20
    browser.open("#/dead")
    browser.sees("41")
    rows = [" ".join(row.text.split()) for row in browser.all("section:first-of-type tbody tr")]
    assert len(rows) == 2 and rows[0].startswith("41 audio timeout") and rows[1].startswith("3 file broken_file")
    assert len(browser.all("tbody tr")) == 2 + 44


def test_a_search_that_is_too_long_says_so(browser, world, letters):
    world.step = 1
    browser.open("#/dead?kind=audio")
    browser.sees("Groups are of the newest alone")
    browser.sees("is not repeated by itself")
    assert browser.all("section:first-of-type tbody tr")[0].text.startswith("40")
    browser.button("Older").click()
    browser.wait(lambda: len(browser.all("section:last-of-type tbody tr")) == 1)
