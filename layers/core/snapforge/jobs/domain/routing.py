"""Where an attempt at pictures is drawn: by our own GPUs, or by a provider. Which, in which order, is configuration."""

from collections.abc import Sequence

from snapforge.jobs.domain.catalogue.providers import SERVED, served
from snapforge.jobs.domain.requests.image import ImageParameters

OWN = "own"
_PREFIX = "provider:"
PROVIDERS = tuple(sorted({str(name) for by in SERVED.values() for name in by}))


def routes(setting: str) -> tuple[str, ...]:
    """The routes of the setting ImageRoutes, e.g. `own,together` → (`own`, `provider:together`), the best first.

    ValueError for a name that is neither `own` nor a provider of ours.
    """
    names = [name.strip() for name in setting.split(",") if name.strip()]
    unknown = [name for name in names if name != OWN and name not in PROVIDERS]
    if unknown or not names:
        raise ValueError(f"ImageRoutes is {setting!r}: name one or more of own, {', '.join(PROVIDERS)}")
    return tuple(OWN if name == OWN else _PREFIX + name for name in names)


def provider_of(route: str) -> str | None:
    """The provider's name; None for our own GPUs."""
    return route.removeprefix(_PREFIX) if route.startswith(_PREFIX) else None


def choose(
    parameters: ImageParameters,
    tried: Sequence[str],
    *,
    allowed: Sequence[str],
    configured: frozenset[str],
    cold: bool,
) -> str | None:
    """The route of the next attempt: `own` or `provider:<name>`; None where nothing that is allowed can draw this.

    tried: the routes of the run's earlier attempts; a route that was not tried comes before one that was, so that a
    failed attempt falls back. allowed: of `routes`. configured: providers that have a key. cold: no worker of ours is
    ready; then whoever can begin at once comes first, except for bulk orders, which wait for the cheaper machine.
    """
    able = [route for route in allowed if _can(parameters, provider_of(route), configured)]
    if not able:
        return None
    overflow = cold and parameters.priority != "bulk"
    return min(able, key=lambda route: (tried.count(route), overflow and route == OWN, able.index(route)))


def _can(parameters: ImageParameters, provider: str | None, configured: frozenset[str]) -> bool:
    if provider is None:
        return True
    # An org's own weights stay in the house.
    return (
        not parameters.loras
        and provider in configured
        and (
            served(
                provider,
                model=parameters.model,
                width=parameters.width,
                height=parameters.height,
                steps=parameters.steps,
            )
            is not None
        )
    )
