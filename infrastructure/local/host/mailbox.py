"""The mailbox page: what SES was given, from MiniStack's own list of messages."""

from html import escape
from typing import Any

from infrastructure.local.loopback import get_json

_STYLE = """<style>body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}table{width:100%;
border-collapse:collapse}td,th{text-align:left;padding:.4rem;border-bottom:1px solid #ddd}pre{white-space:pre-wrap;
background:#f6f6f6;padding:1rem}iframe{width:100%;height:32rem;border:1px solid #ddd}</style>"""


def messages(emulator: str) -> list[dict[str, Any]]:
    """Newest first: id, at, from, to, subject, text, html."""
    accounts: dict[str, list[dict[str, Any]]] = get_json(f"{emulator}/_ministack/ses/messages")["messages"]
    return [_message(raw) for raws in accounts.values() for raw in reversed(raws)]


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": raw["MessageId"],
        "at": raw["Timestamp"],
        "from": raw["Source"],
        "to": [*raw["To"], *raw["CC"], *raw["BCC"]],
        "subject": raw["Subject"],
        "text": raw["BodyText"] or "",
        "html": raw["BodyHtml"] or "",
    }


def listing(items: list[dict[str, Any]]) -> str:
    """The page at /_mail."""
    rows = "".join(
        f"<tr><td>{escape(str(m['at']))}</td><td>{escape(', '.join(m['to']))}</td>"
        f"<td><a href='/_mail/{escape(m['id'])}'>{escape(m['subject'])}</a></td></tr>"
        for m in items
    )
    table = f"<table><tr><th>Time</th><th>To</th><th>Subject</th></tr>{rows}</table>" if rows else "<p>No mail yet.</p>"
    return f"<!doctype html><meta charset=utf-8><title>Mailbox</title>{_STYLE}<h1>Mailbox</h1>{table}"


def page(m: dict[str, Any]) -> str:
    """One message. Its HTML sits in a frame without scripts, forms or our origin."""
    frame = f"<iframe sandbox='allow-popups' srcdoc=\"{escape(m['html'])}\"></iframe>" if m["html"] else ""
    return (
        f"<!doctype html><meta charset=utf-8><title>{escape(m['subject'])}</title>{_STYLE}"
        f"<p><a href='/_mail'>Mailbox</a></p><h1>{escape(m['subject'])}</h1>"
        f"<p>From {escape(m['from'])} to {escape(', '.join(m['to']))}, {escape(str(m['at']))}</p>"
        f"<h2>Text</h2><pre>{escape(m['text'])}</pre>{'<h2>HTML</h2>' if frame else ''}{frame}"
    )
