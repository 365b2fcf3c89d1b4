"""SES."""

from snapforge.aws import settings
from snapforge.aws.clients import client


def send(*, to: str, subject: str, text: str, html: str, tags: dict[str, str]) -> str:
    """Send one mail and return SES's message id. `tags` are for SES event publishing: no personal data."""
    answer = client("sesv2").send_email(
        FromEmailAddress=settings.get("MAIL_FROM"),
        Destination={"ToAddresses": [to]},
        Content={
            "Simple": {
                "Subject": {"Data": subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": text, "Charset": "UTF-8"}, "Html": {"Data": html, "Charset": "UTF-8"}},
            }
        },
        EmailTags=[{"Name": name, "Value": value} for name, value in tags.items()],
    )
    return answer["MessageId"]
