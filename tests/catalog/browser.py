"""A headless Chromium, spoken to over a pipe: no port, no driver, no package."""

import base64
import contextlib
import itertools
import json
import os
import select
import shutil
import subprocess
import time

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60  # one answer; every wait ends with it


class Page:
    """One open page. `said`: what its console and its network reported as errors."""

    def __init__(self, write, read):
        self._write, self._read, self._rest = write, read, b""
        self._numbers = itertools.count(1)
        self.said, self._session = [], None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Sends one command of the DevTools protocol; returns its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, url, width, height=900, dark=False):
        """Loads `url` in a window of `width` CSS pixels."""
        self.ask(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.ask("Page.navigate", url=url)
        deadline = time.monotonic() + SECONDS
        while self.value("document.readyState + location.href") != "complete" + url:
            assert time.monotonic() < deadline, f"{url} does not load"
            time.sleep(0.05)

    def value(self, expression):
        """Returns what a JavaScript expression gives, as JSON."""
        result = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def screenshot(self):
        """Returns the window as a PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])

    def _next(self):
        while b"\0" not in self._rest:
            assert select.select([self._read], [], [], SECONDS)[0], "Chromium does not answer"
            part = os.read(self._read, 1 << 16)
            assert part, "Chromium has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        answer = json.loads(text)
        if answer.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded", "Network.loadingFailed"):
            self.said.append(answer["params"])
        elif answer.get("method") == "Runtime.consoleAPICalled":
            self.said.append(answer["params"]["args"])
        return answer


@contextlib.contextmanager
def page(profile):
    """Yields a Page of a new Chromium, which is ended afterwards. profile: an empty folder for it."""
    to_it, my_write = os.pipe()
    my_read, from_it = os.pipe()
    command = [PROGRAM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={profile}", "--remote-debugging-pipe", "about:blank"]

    def place():  # it reads commands from 3 and answers on 4
        low = os.dup(to_it), os.dup(from_it)
        os.dup2(low[0], 3)
        os.dup2(low[1], 4)

    process = subprocess.Popen(
        command, close_fds=False, preexec_fn=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    os.close(to_it)
    os.close(from_it)
    try:
        opened = Page(my_write, my_read)
        yield opened
        opened._session = None
        opened.ask("Browser.close")
        process.wait(SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(my_write)
        os.close(my_read)
