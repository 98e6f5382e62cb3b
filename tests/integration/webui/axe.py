"""What axe-core finds wrong with a page, for people who use assistive technology."""

from importlib import resources

from tests.integration.webui.browser import Browser

_SCRIPT = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
_RUN = (
    "const done = arguments[arguments.length - 1];"
    "axe.run(document, { resultTypes: ['violations', 'incomplete'] })"
    ".then(({ violations, incomplete }) => done([violations, incomplete]), (error) => done(String(error)))"
)
_UNDECIDED = ("color-contrast",)
"""What axe cannot decide where something lies over the text or its colour is a gradient; our own test measures it."""


def findings(browser: Browser) -> list[str]:
    """Return the rules that the page as it is now breaks, each with the elements. All of axe's rules are tried."""
    browser.driver.execute_script(_SCRIPT)
    found = browser.driver.execute_async_script(_RUN)
    assert not isinstance(found, str), found
    violations, incomplete = found
    return [
        f"{rule['id']}: {rule['help']}: {node['html'][:120]}"
        for rule in [*violations, *(each for each in incomplete if each["id"] not in _UNDECIDED)]
        for node in rule["nodes"]
    ]
