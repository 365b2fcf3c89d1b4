"""The door of the jobs context: what functions and upper contexts may call."""

from typing import TYPE_CHECKING

from snapforge.kit.door import door

if TYPE_CHECKING:
    from snapforge.jobs.catalogue import catalogue
    from snapforge.jobs.dispatching import dispatch
    from snapforge.jobs.drawing import draw_ticket
    from snapforge.jobs.ending import cancel_job, settle
    from snapforge.jobs.keeping import keep_workers
    from snapforge.jobs.naming import rename_lora
    from snapforge.jobs.ordering import create_job, retry_job
    from snapforge.jobs.preflights import preflight
    from snapforge.jobs.previews import get_preview, preview_job
    from snapforge.jobs.publishing import publish_outbox
    from snapforge.jobs.reading import get_job, list_jobs
    from snapforge.jobs.reports import take_batch_state, take_dead_ticket, take_report
    from snapforge.jobs.steps import check, classify
    from snapforge.jobs.sweeping import sweep
else:
    __getattr__ = door(
        __name__,
        {
            "dispatching": ("dispatch",),
            "catalogue": ("catalogue",),
            "drawing": ("draw_ticket",),
            "ending": ("cancel_job", "settle"),
            "keeping": ("keep_workers",),
            "naming": ("rename_lora",),
            "ordering": ("create_job", "retry_job"),
            "preflights": ("preflight",),
            "previews": ("get_preview", "preview_job"),
            "publishing": ("publish_outbox",),
            "reading": ("get_job", "list_jobs"),
            "reports": ("take_batch_state", "take_dead_ticket", "take_report"),
            "steps": ("check", "classify"),
            "sweeping": ("sweep",),
        },
    )

__all__ = [
    "cancel_job",
    "catalogue",
    "check",
    "classify",
    "create_job",
    "dispatch",
    "draw_ticket",
    "get_job",
    "get_preview",
    "keep_workers",
    "list_jobs",
    "preflight",
    "preview_job",
    "publish_outbox",
    "rename_lora",
    "retry_job",
    "settle",
    "sweep",
    "take_batch_state",
    "take_dead_ticket",
    "take_report",
]
