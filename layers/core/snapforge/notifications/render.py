"""Jinja2 templates to subject, text and HTML."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to be sent."""

    subject: str
    text: str
    html: str


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    # A template that names a value nobody gave is a bug that must show in a test, not as a hole in a mail.
    return Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, values: dict[str, Any]) -> Mail:
    """`<template>/{subject.txt,body.txt,body.html}` filled with `values`; a subject is one line."""
    environment = _environment()
    parts = [
        environment.get_template(f"{template}/{name}").render(values)
        for name in ("subject.txt", "body.txt", "body.html")
    ]
    return Mail(subject=" ".join(parts[0].split()), text=parts[1].strip() + "\n", html=parts[2])
