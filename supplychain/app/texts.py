"""Every word that the application shows, by key; nothing else in this room writes English."""

from __future__ import annotations

from typing import Final

from markupsafe import escape

TEXTS: Final[dict[str, str]] = {
    # The gate
    "gate.title": "supplychain",
    "gate.host": "This address is not one that the application answers to. Use the link that it printed.",
    "gate.origin": "The request came from another page. Use the link that the application printed.",
    "gate.method": "That kind of request is not answered here.",
    "gate.busy": "Too many requests at once. Wait a moment and try again.",
    "gate.missing": "There is no such page.",
    "gate.no_cookie": (
        "This browser has not been let in. Open the link that the application printed in its terminal. "
        "If that link was used already, press Enter in the terminal to have a new one."
    ),
    "gate.used": (
        "This link was used already, or is not the newest one. Press Enter in the terminal in which the application "
        "runs to have a new link."
    ),
    "gate.large": "The file is larger than the application takes (1 MB).",
    "gate.cut": "The request broke off.",
    "gate.fault": "Something went wrong inside the application. What was done before is kept; try again.",
    "gate.continue": "Open the application",
}


def say(key: str, **values: object) -> str:
    """Return the text of a key, its ``{names}`` filled."""
    return TEXTS[key].format(**values) if values else TEXTS[key]


def plain_page(words: str) -> str:
    """Return a page that needs no style or script, for whoever is not let in."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(say("gate.title"))}</title></head>'
        f"<body><main><h1>{escape(say('gate.title'))}</h1><p>{escape(words)}</p>"
        f'<p><a href="/">{escape(say("gate.continue"))}</a></p></main></body></html>'
    )
