"""The whole way with the keyboard alone: sign in, submit, read, cancel, retry."""

from selenium.webdriver.common.keys import Keys


def test_everything_can_be_done_without_a_mouse(browser, world):
    browser.open(signed_in=False)
    browser.tab_to("Token")
    browser.type(world.token, Keys.ENTER)
    browser.sees("Queues")

    browser.tab_to("Submit")
    browser.type(Keys.ENTER)
    browser.tab_to("Text")
    browser.type("Hello")
    browser.tab_to("Choose files")
    assert browser.script("return document.activeElement.id") == "files"
    browser.tab_to("Submit")
    browser.type(Keys.ENTER)
    browser.sees("Request", ".submitted")
    job = next(iter(world.jobs.values()))
    world.start(job)
    world.end(job, "failed", error_class="broken", error="it broke")
    browser.sees("it broke", ".submitted")

    browser.tab_to(job["id"])
    browser.type(Keys.ENTER)
    browser.sees(job["id"], "h1")
    browser.find("#main > .one")
    if browser.driver.current_url.split("#")[1].startswith("/requests"):
        browser.tab_to(job["id"])
        browser.type(Keys.ENTER)
    browser.wait(lambda: "Retry" in browser.text("header .actions") or browser.all(".actions button"))
    browser.tab_to("Retry")
    browser.type(Keys.ENTER)
    browser.sees("A new job with the same input", "dialog")
    browser.type(Keys.ENTER)
    browser.sees("Retry of")

    browser.wait(lambda: any(one.accessible_name.startswith("Cancel") for one in browser.all(".actions button")))
    browser.tab_to("Cancel")
    browser.type(Keys.ENTER)
    browser.sees("If it waits it never starts", "dialog")
    browser.tab_to("Cancel the job")
    browser.type(Keys.ENTER)
    browser.sees("cancelled")
