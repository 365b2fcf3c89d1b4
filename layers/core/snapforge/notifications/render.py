"""Jinja2 templates to subject, text and HTML, in a language."""

from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from snapforge.messages.domain import SENDERS, Channel
from snapforge.messages.languages import Language, direction, number
from snapforge.notifications.translations import translations

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
def environment(language: Language) -> "Environment":
    """The templates with a language's words, numbers and direction."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    # A template that names a value nobody gave is a bug that must show in a test, not as a hole in a mail.
    made = Environment(
        loader=FileSystemLoader(FOLDER),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html"]),
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
    made.globals |= {"language": language.value, "direction": direction(language)}
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
    """A message's templates filled with `values`; a subject is one line."""
    subject, text, html = (
        environment(language).get_template(f"{template}/{name}").render(values)
        for name in SENDERS[Channel.mail].templates
    )
    return Mail(subject=" ".join(subject.split()), text=text.strip() + "\n", html=html)
