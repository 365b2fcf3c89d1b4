"""What can go wrong with uploads, captures and assets, as customers see it."""

from snapforge.assets.refusals import Refusal
from snapforge.kit.errors import Conflict, InvalidPayload, NotFound


class CaptureNotFound(NotFound):
    code = "capture_not_found"
    title = "No such capture"


class UploadNotFound(NotFound):
    code = "upload_not_found"
    title = "No such upload"


class AssetNotFound(NotFound):
    code = "asset_not_found"
    title = "No such asset"


class CaptureFull(Conflict):
    code = "capture_full"
    title = "A capture holds at most 300 photos"
    fix = "Leave out the most similar photos, or begin another capture."


class CaptureNotReady(Conflict):
    code = "capture_not_ready"
    title = "The capture is not checked to its end, or changed meanwhile"
    fix = "Wait until `GET /v1/captures/{id}` says `ready`, then ask for a new preview."
    retryable = True


class FileRefused(InvalidPayload):
    """A file that need not be sent. `files` names each refused one with its own code and fix."""

    code = "file_refused"
    title = "A file cannot be taken"

    def __init__(self, refused: list[tuple[int, str, Refusal]]) -> None:
        """`refused`: place in the request, name, why."""
        _, name, first = refused[0]
        super().__init__(
            f"{name}: {first.reason}",
            fix=first.fix,
            files=[
                {"index": index, "name": name, "code": why.code, "reason": why.reason, "fix": why.fix}
                for index, name, why in refused
            ],
        )


class UploadNotOpen(Conflict):
    code = "upload_not_open"
    title = "This upload takes no parts (any more)"
    fix = "Look at it with `GET /v1/uploads/{id}`; if it expired, ask for a new upload."


class PartsDoNotFit(InvalidPayload):
    code = "parts_do_not_fit"
    title = "The parts are not those that were sent"
    fix = "Give every part once, in order, with the ETag that S3 answered for it."
