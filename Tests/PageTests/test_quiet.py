"""Quiet while nobody looks, and patient while nobody answers."""



def test_a_hidden_tab_asks_for_nothing_and_goes_on_when_it_is_seen_again(browser, world):
    job = world.job("text")
    world.start(job)
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: len(world.streams) == 1)
    world.publish(job, "job.output", {"text": "before\n", "begins": True, "left_out": 0})
    browser.sees("before")
    page = browser.driver.current_window_handle
    browser.driver.switch_to.new_window("tab")
    try:
        browser.wait(lambda: not world.streams)
        # Nothing says that nothing comes: more than one round of this view (5 s) has to pass.
        asked = len(world.log)
        world.publish(job, "job.output", {"text": "meanwhile\n", "begins": False, "left_out": 0})
        browser.script("return new Promise((done) => setTimeout(done, 6000))")
        assert browser.asked(asked) == []
    finally:
        browser.driver.close()
        browser.driver.switch_to.window(page)
    browser.sees("meanwhile")
    assert browser.text(".output").split() == ["before", "meanwhile"]


def test_a_lost_connection_is_said_and_heals_by_itself(browser, world):
    browser.expected_errors = ["ERR_"]
    world.job("text")
    browser.open()
    browser.sees("text", ".table")
    world.down = True
    browser.sees("The gateway does not answer", "#banner")
    assert "text" in browser.text(".table"), "what was seen stays"
    world.down = False
    browser.wait(lambda: browser.text("#banner") == "")
    browser.sees("Connected again.", "#announcer")


def test_it_is_tried_at_once_when_one_wants_to(browser, world):
    browser.expected_errors = ["503"]
    world.problems = {"/v1/queues": (503, "unavailable", "the journal does not answer")}
    browser.open()
    browser.sees("the journal does not answer", "#banner")
    world.problems = {}
    browser.button("Try now").click()
    browser.wait(lambda: browser.text("#banner") == "")


def test_a_lost_stream_comes_back_with_the_gateway(browser, world):
    browser.expected_errors = ["ERR_"]
    job = world.job("text")
    world.start(job)
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: len(world.streams) == 1)
    world.down = True
    world.drop_streams()
    browser.sees("does not answer", "#banner")
    world.down = False
    browser.wait(lambda: len(world.streams) == 1)
    world.publish(job, "job.progress", {"fraction": 0.9, "text": "nearly"})
    browser.sees("90 % · nearly")


def test_a_view_that_was_left_follows_nothing(browser, world):
    job = world.job("text")
    world.start(job)
    browser.open(f"#/jobs/{job['id']}")
    browser.wait(lambda: len(world.streams) == 1)
    browser.go("#/submit")
    browser.wait(lambda: not world.streams)


def test_a_problem_of_the_gateway_is_shown_in_its_words(browser, world):
    browser.expected_errors = ["403"]
    world.problems = {"/v1/dead-letters": (403, "forbidden", "the scope read is needed", [])}
    browser.open("#/dead")
    browser.sees("the scope read is needed")
    browser.sees("Sign in with a token that has the scope")


