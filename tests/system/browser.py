"""A real browser without a window: Debian's Chromium, driven over its own driver."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.system.require import require_programs

DRIVER = "chromedriver"


class Window:
    """What a person does with it."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self._driver = driver
        self._url = url

    def go(self, path: str) -> None:
        self._driver.get(self._url + path)

    @property
    def path(self) -> str:
        """Where it is by now."""
        return self._driver.current_url.removeprefix(self._url)

    @property
    def text(self) -> str:
        """What is to be seen."""
        return self._driver.find_element(By.TAG_NAME, "body").text

    def fill(self, **fields: str) -> None:
        """Type into the fields of these names; what can be chosen only is chosen by typing as well."""
        for name, text in fields.items():
            self._driver.find_element(By.NAME, name).send_keys(text)

    def press(self, word: str) -> None:
        """The button, the link or the heading of this text; the next page is there when this returns."""
        path = f"//*[self::button or self::a or self::summary][normalize-space()='{word}']"
        pressed = self._driver.find_element(By.XPATH, path)
        leads_on = pressed.tag_name != "summary"
        self.script("document.isLeft = true")
        pressed.click()
        if leads_on:
            # A click returns while the answer is still under way: whoever read now might read the page before. Between
            # two pages the driver has many words for there being none.
            WebDriverWait(self._driver, 10, ignored_exceptions=(WebDriverException,)).until(
                lambda _: self._has_arrived()
            )

    def _has_arrived(self) -> bool:
        return bool(self.script("return !document.isLeft && document.readyState == 'complete'"))

    def find(self, selector: str) -> WebElement:
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    def cookies(self) -> dict[str, dict[str, object]]:
        """With their flags."""
        return {each["name"]: each for each in self._driver.get_cookies()}

    def script(self, text: str) -> object:
        """What a script on this page would get."""
        return self._driver.execute_script(text)

    def complaints(self) -> list[str]:
        """What the browser says of the page: styles that its policy stops, forms, files that are missing."""
        return [str(each["message"]) for each in self._driver.get_log("browser")]  # type: ignore[no-untyped-call]

    def picture(self, file: str) -> None:
        """The whole page."""
        height = int(str(self.script("return document.documentElement.scrollHeight")))
        self._driver.set_window_size(1000, height + 150)
        self._driver.save_screenshot(file)


@contextmanager
def window(url: str) -> Iterator[Window]:
    """One with a profile of its own; skips where there is no browser."""
    require_programs("chromium", DRIVER)
    options = ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server"):
        options.add_argument(argument)
    options.accept_insecure_certs = True
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, ChromeService(f"/usr/bin/{DRIVER}"))
    try:
        driver.set_window_size(1000, 1200)
        driver.implicitly_wait(10)
        yield Window(driver, url)
    finally:
        driver.quit()
