"""A Jinja2 template to subject, text and HTML, in a language."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from snapforge.messages.languages import Language, direction, number
from snapforge.notifications.translations import translations

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent / "templates"
SUFFIX = ".j2"


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail, ready to be sent."""

    subject: str
    text: str
    html: str


class Form(StrEnum):
    """What a template is rendered to; `layout/` has the parts of a mail in each, by this ending."""

    text = "txt"
    html = "html"


@cache
def environment(language: Language, form: Form) -> "Environment":
    """The templates with a language's words, numbers and direction."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # A template that names a value nobody gave is a bug that must show in a test, not as a hole in a mail.
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=form is Form.html,  # noqa: S701 - text is not HTML
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    # Line breaks within {% trans %} are the template's layout, not the translators' business.
    made.policies["ext.i18n.trimmed"] = True
    words = translations(language)
    made.install_gettext_callables(  # type: ignore[attr-defined] # the extension adds it
        words.gettext, words.ngettext, newstyle=True, pgettext=words.pgettext, npgettext=words.npgettext
    )
    made.globals |= {"language": language.value, "direction": direction(language), "form": form.value}
    made.filters |= {"number": partial(number, language=language), "isolated": _isolate_in(language)}
    return made


def _isolate_in(language: Language) -> Any:
    """A filter for what others wrote (names, ids): its direction shall not reorder the sentence around it, nor be lost.

    HTML has `bdi`. Text has invisible marks, written only where lines run from right to left; never put it on a link,
    since mail programs take the marks for a part of the address.
    """
    from jinja2 import pass_eval_context
    from markupsafe import Markup

    @pass_eval_context
    def isolated(evaluation: Any, value: str) -> str:
        if evaluation.autoescape:
            return Markup("<bdi>{}</bdi>").format(value)
        return f"\u2068{value}\u2069" if direction(language) == "rtl" else str(value)

    return isolated


def render(template: str, values: dict[str, Any], language: Language) -> Mail:
    """A message's template filled with `values`; a subject is one line, and a blank line parts paragraphs of text."""
    html, text = (
        environment(language, form).get_template(template + SUFFIX).make_module(values)
        for form in (Form.html, Form.text)
    )
    paragraphs = re.sub(r"\s*\n\s*\n\s*", "\n\n", str(text).strip())
    subject = str(cast(Any, text).subject)  # what the template sets
    return Mail(subject=" ".join(subject.split()), text=paragraphs + "\n", html=str(html))
