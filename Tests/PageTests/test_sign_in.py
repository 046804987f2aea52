"""The token: asked for once, kept in this tab, never part of an address."""

from mock import token


def test_a_token_is_asked_for_once_and_survives_a_reload(browser, world):
    world.job("text")
    browser.open(signed_in=False)
    browser.find("#token").send_keys(world.token)
    browser.button("Sign in").click()
    browser.sees("Queues")
    browser.driver.refresh()
    browser.sees("Queues")
    assert browser.all("#token") == []


def test_the_token_is_in_no_address_and_in_no_lasting_storage(browser, world):
    job = world.job("text", "running")
    browser.open(signed_in=False)
    browser.find("#token").send_keys(world.token)
    browser.button("Sign in").click()
    browser.button("Sign out")
    browser.go(f"#/jobs/{job['id']}")
    browser.wait(lambda: world.streams)
    secret = world.token.split(".")[1]
    assert not any(secret in path for _, path in browser.asked())
    assert secret not in browser.driver.current_url
    kept = browser.script("return JSON.stringify([{...localStorage}, document.cookie, [...sessionStorage.getItem('statex.token')].length])")
    assert secret not in kept and f"{len(world.token)}" in kept


def test_a_wrong_token_is_refused_in_the_words_of_the_gateway(browser):
    browser.expected_errors = ["401"]
    browser.open(signed_in=False)
    browser.find("#token").send_keys("nonsense")
    browser.button("Sign in").click()
    browser.sees("the token is not valid here; get a new one")
    assert browser.driver.switch_to.active_element.get_attribute("id") == "token"


def test_a_token_that_expires_leads_to_the_sign_in_and_back_to_the_same_job(browser, world):
    browser.expected_errors = ["401"]
    job = world.job("text")
    browser.open(f"#/jobs/{job['id']}")
    browser.sees("queued")
    world.token = token(sub="grace")
    browser.sees("the token is not valid here")
    browser.find("#token").send_keys(world.token)
    browser.button("Sign in").click()
    browser.sees(job["id"], "h1")


def test_signing_out_forgets_the_token(browser):
    browser.open()
    browser.button("Sign out").click()
    browser.sees("You signed out.")
    assert browser.script("return sessionStorage.length") == 0


def test_who_may_only_look_is_offered_no_orders(browser, world):
    world.token = token("read")
    world.job("text")
    browser.open()
    browser.sees("text", ".table")
    assert [one.text for one in browser.all("main button")] == []
    assert not any(path.startswith("/v1/workers") for _, path in browser.asked())
    browser.go("#/submit")
    browser.sees("may look, but not submit")
