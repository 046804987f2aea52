"""The page before a stand-in for the gateway, which can be whatever a test needs."""

import browsing
import pytest
from mock import Gateway


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    with browsing.chromium(tmp_path_factory.mktemp("chromium")) as driver:
        yield driver


@pytest.fixture
def gateway():
    gateway = Gateway()
    yield gateway
    gateway.close()


@pytest.fixture
def world(gateway):
    return gateway.world


class Browser(browsing.Browser):
    def __init__(self, driver, gateway):
        super().__init__(driver, gateway.address, lambda: gateway.world.token)
        self.world = gateway.world

    def asked(self, since=0):
        """Method and path of what the gateway was asked for."""
        with self.world.lock:
            return [(method, path) for method, path, _ in self.world.log[since:]]


@pytest.fixture
def browser(chromium, gateway):
    with browsing.watched(Browser(chromium, gateway)) as browser:
        yield browser
