"""A headless Chromium, and how a person uses the page in it. Whatever a test does, the page must not have logged an
error, broken its content security policy, or asked another host for anything."""

import contextlib
import json
import os
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 15


@contextlib.contextmanager
def chromium(profile, *more):
    """A driver with the profile in a folder of its own, and these flags too."""
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900", "--autoplay-policy=no-user-gesture-required",
             "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--user-data-dir={profile}", *more]
    # Chromium's sandbox refuses root, which is who runs in a container.
    for flag in flags + (["--no-sandbox"] if os.geteuid() == 0 else []):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    try:
        yield driver
    finally:
        driver.quit()


class Browser:
    """The page as a person uses it: at an address, with what `token` gives."""

    def __init__(self, driver, address, token):
        self.driver, self.address, self.token = driver, address, token
        # What a test provokes, as a part of the message.
        self.expected_errors = []
        self.patience = PATIENCE

    def open(self, path="#/", signed_in=True):
        self.driver.get("about:blank")
        # Before the page asks for anything.
        keep = f"sessionStorage.setItem('statex.token', {json.dumps(self.token())})" if signed_in else ""
        script = self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": f"sessionStorage.clear(); {keep}"})
        self.driver.get(f"{self.address}/{path}")
        self.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", script)
        return self

    def go(self, path):
        self.script("location.hash = arguments[0]", path)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def find(self, selector):
        return self.wait(lambda: next(iter(self.all(selector)), None), f"no {selector}")

    def all(self, selector):
        return [element for element in self.driver.find_elements(By.CSS_SELECTOR, selector) if element.is_displayed()]

    def text(self, selector="main"):
        return self.script("return document.querySelector(arguments[0])?.innerText ?? ''", selector)

    def button(self, label):
        """By its name for assistive technology."""
        return self.wait(lambda: next((one for one in self.all("button, a, summary, [type=submit]") if (one.accessible_name or "").startswith(label)), None), f"no button {label}")

    def wait(self, what, problem="it did not come"):
        return WebDriverWait(self.driver, self.patience, 0.05, ignored_exceptions=(Exception,)).until(lambda _: what(), problem)

    def press(self, label):
        """Also where what is there is drawn anew meanwhile."""
        self.wait(lambda: self.button(label).click() or True, f"{label} could not be pressed")

    def sees(self, text, selector="main"):
        def there():
            return text in self.text(selector)

        try:
            self.wait(there)
        except Exception:
            pytest.fail(f"{text!r} is not in {self.text(selector)!r}")

    def type(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def tab_to(self, label, most=60):
        """With the Tab key alone."""
        for _ in range(most):
            name = self.driver.switch_to.active_element.accessible_name
            if name and name.startswith(label):
                return
            self.type(Keys.TAB)
        pytest.fail(f"no {label} within {most} Tabs")

    def emulate(self, width=1280, height=900, scheme="light", motion="no-preference"):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": motion}]})


@contextlib.contextmanager
def watched(browser):
    """What a test does with the page, judged at its end."""
    driver = browser.driver
    for log in ("browser", "performance"):
        driver.get_log(log)
    browser.emulate()
    yield browser
    errors = [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    errors = [message for message in errors if not any(part in message for part in browser.expected_errors)]
    assert errors == [], errors
    hosts = set()
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent" and message["params"]["request"]["url"].startswith("http"):
            hosts.add(urlsplit(message["params"]["request"]["url"]).netloc)
    assert hosts <= {urlsplit(browser.address).netloc}, hosts
    driver.get("about:blank")
