"""Pages in a headless browser."""

import shutil

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Opened:
    """A page that is open, and what it said and asked for."""

    def __init__(self, browser, address, ready, **settings):
        settings.setdefault("viewport", {"width": 1200, "height": 800})
        self.context = browser.new_context(reduced_motion="reduce", **settings)
        self.page = self.context.new_page()
        self.requests, self.faults = [], []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda message: self.faults.append(message.text))
        self.page.goto(address)
        self.page.evaluate(ready)

    def __call__(self, script, argument=None):
        return self.page.evaluate(script, argument)
