"""What a browser says of itself, in a word or two that its person knows again."""

import re

BROWSERS = (
    ("Edge", r"Edg(e|A|iOS)?/"),
    ("Opera", r"OPR/"),
    ("Firefox", r"(Firefox|FxiOS)/"),
    ("Chrome", r"(Chrome|CriOS|Chromium)/"),
    ("Safari", r"Safari/"),
)
SYSTEMS = (
    ("iPhone or iPad", r"iPhone|iPad"),
    ("Android", r"Android"),
    ("Windows", r"Windows"),
    ("macOS", r"Mac OS X|Macintosh"),
    ("Linux", r"Linux|X11"),
)


def in_words(user_agent: str) -> str:
    """“Firefox on Linux”; what we can't tell is another program."""
    browser = first(BROWSERS, user_agent)
    system = first(SYSTEMS, user_agent)
    if not browser:
        return "Another program"
    return f"{browser} on {system}" if system else browser


def first(known: tuple[tuple[str, str], ...], text: str) -> str:
    return next((name for name, pattern in known if re.search(pattern, text)), "")
