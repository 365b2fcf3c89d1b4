"""Whether a prompt is drawn here: the rules first, then the model that the installation names, if it names one."""

from snapforge import observe
from snapforge.aws import secrets, settings
from snapforge.jobs import errors
from snapforge.jobs.domain import moderation
from snapforge.providers.base import ProviderError

_MODEL_ADVICE = "This prompt is not drawn here."


def require_drawable(prompt: str, *, pointer: str = "/prompt") -> None:
    """Raises PromptRefused with the category, and with a pointer to what was sent.

    ModerationUnavailable where the model should judge and does not answer.
    The log gets the category and never the prompt.
    """
    category = moderation.judge(prompt)
    if category is not None:
        _refuse(category, moderation.ADVICE[category], pointer)
    url = settings.find("MODERATION_URL")
    if url is None:
        return
    try:
        found = _judged(url, prompt)
    except ProviderError as error:
        observe.logger().warning("the moderation model failed: %s", error.code)
        raise errors.ModerationUnavailable() from error
    if found:
        _refuse(found[0], _MODEL_ADVICE, pointer)


def _judged(url: str, prompt: str) -> tuple[str, ...]:
    # Here, because an HTTP client is a quarter of a cold start, and most installations name no model.
    from snapforge.providers.moderation import Endpoint

    key = (secrets.read("providers").get("moderation") or {}).get("key")
    return Endpoint(url, key).judge(prompt)


def _refuse(category: str, why: str, pointer: str) -> None:
    observe.logger().info("prompt refused: %s", category)
    raise errors.PromptRefused(why, category=category, charged=0, errors=[{"pointer": pointer, "detail": why}])
