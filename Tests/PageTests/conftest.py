"""A headless Chromium and a stand-in for the gateway. Whatever a test does, the page must not have logged an error, broken
its content security policy, or asked another host for anything."""

import json
import os
from urllib.parse import urlsplit

import pytest
from mock import Gateway
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 15


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    flags = ["--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1280,900", "--autoplay-policy=no-user-gesture-required",
             "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"]
    # Chromium's sandbox refuses root, which is who runs in a container.
    for flag in flags + (["--no-sandbox"] if os.geteuid() == 0 else []):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def world(gateway):
    return gateway.world


class Browser:
    """The page as a person uses it."""

    def __init__(self, driver, address, world):
        self.driver, self.address, self.world = driver, address, world
        # What a test provokes, as a part of the message.
        self.expected_errors = []

    def open(self, path="#/", signed_in=True):
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/{path}")
        self.driver.execute_script("sessionStorage.clear()")
        if signed_in:
            self.driver.execute_script("sessionStorage.setItem('statex.token', arguments[0])", self.world.token)
            self.driver.refresh()
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
        return WebDriverWait(self.driver, PATIENCE, 0.05, ignored_exceptions=(Exception,)).until(lambda _: what(), problem)

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

    def asked(self, since=0):
        """Method and path of what the gateway was asked for."""
        with self.world.lock:
            return [(method, path) for method, path, _ in self.world.log[since:]]


@pytest.fixture
def browser(chromium, gateway):
    for log in ("browser", "performance"):
        chromium.get_log(log)
    browser = Browser(chromium, gateway.address, gateway.world)
    browser.emulate()
    yield browser
    errors = [entry["message"] for entry in chromium.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
    errors = [message for message in errors if not any(part in message for part in browser.expected_errors)]
    assert errors == []
    hosts = set()
    for entry in chromium.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent" and message["params"]["request"]["url"].startswith("http"):
            hosts.add(urlsplit(message["params"]["request"]["url"]).netloc)
    assert hosts <= {urlsplit(gateway.address).netloc}
    chromium.get("about:blank")
