"""Each provider against a server that speaks its documented API: right answers, errors, rate limits, and lies."""

import io
import threading
import time
from dataclasses import replace

import pytest
from PIL import Image

from snapforge.contracts.reports import FailureCategory
from snapforge.jobs.domain import routing
from snapforge.providers import calls, registry
from snapforge.providers.base import Drawn, PictureRequest, ProviderError
from tests.support.providers import KEY, Served

NAMES = registry.NAMES
REQUEST = PictureRequest(
    model="black-forest-labs/flux-schnell",
    prompt="a kingfisher",
    negative_prompt="",
    width=1216,
    height=832,
    aspect="3:2",
    steps=4,
    guidance=None,
    seed=77,
)


def draw(
    served: Served,
    name: str,
    request: PictureRequest = REQUEST,
    seconds: float = 20.0,
    unwanted: threading.Event | None = None,
) -> Drawn:
    provider = registry.provider(name, served.keys())
    return provider.draw(request, until=time.monotonic() + seconds, unwanted=unwanted or threading.Event())


def refused(served: Served, name: str, seconds: float = 20.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        draw(served, name, seconds=seconds)
    # Whatever they say stays inside: no link, no key and no name of theirs but their own reaches a customer.
    assert "http" not in str(caught.value)
    assert KEY not in str(caught.value)
    return caught.value


@pytest.mark.part("JOB-7")
class TestDraw:
    @pytest.mark.parametrize("name", NAMES)
    def test_the_picture_is_an_rgb_png_of_the_wished_size_without_metadata(self, served: Served, name: str) -> None:
        drawn = draw(served, name)
        with Image.open(io.BytesIO(drawn.png)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (1216, 832))
            assert picture.info == {}
        assert b"prompt" not in drawn.png

    @pytest.mark.parametrize("name", NAMES)
    def test_the_seed_is_sent_and_pictures_of_two_seeds_differ(self, served: Served, name: str) -> None:
        assert draw(served, name).png == draw(served, name).png
        assert draw(served, name, replace(REQUEST, seed=78)).png != draw(served, name).png

    def test_together_is_asked_as_documented(self, served: Served) -> None:
        drawn = draw(served, "together", replace(REQUEST, guidance=3.5, negative_prompt="snow"))
        (asked,) = served.asked
        assert (asked.method, asked.path) == ("POST", "/together/images/generations")
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.body == {
            "model": REQUEST.model,
            "prompt": "a kingfisher",
            "negative_prompt": "snow",
            "width": 1216,
            "height": 832,
            "steps": 4,
            "seed": 77,
            "guidance_scale": 3.5,
            "n": 1,
            "response_format": "base64",
            "output_format": "png",
        }
        assert drawn.provider_id.startswith("oFuwv7Y")

    def test_replicate_draws_flux_by_aspect_ratio_and_the_same_each_time(self, served: Served) -> None:
        draw(served, "replicate")
        asked, file = served.asked
        assert asked.path == "/replicate/models/black-forest-labs/flux-schnell/predictions"
        assert asked.headers["prefer"] == "wait=5"
        # Should we die, they end it when we would have.
        assert asked.headers["cancel-after"] == "20s"
        assert asked.body["input"]["aspect_ratio"] == "3:2"
        assert asked.body["input"]["go_fast"] is False
        assert "width" not in asked.body["input"]
        assert "authorization" not in file.headers

    def test_replicate_draws_z_image_by_its_sides(self, served: Served) -> None:
        draw(served, "replicate", replace(REQUEST, model="prunaai/z-image-turbo", width=640, height=480, guidance=1.0))
        wanted = served.asked[0].body["input"]
        assert (wanted["width"], wanted["height"], wanted["guidance_scale"]) == (640, 480, 1.0)

    def test_replicate_is_polled_while_it_works(self, served: Served) -> None:
        served.polls = 3
        drawn = draw(served, "replicate")
        assert served.paths().count("GET /replicate/predictions/pred0") == 3
        assert drawn.provider_id == "pred0"

    def test_hugging_face_is_asked_as_documented(self, served: Served) -> None:
        draw(served, "huggingface", replace(REQUEST, guidance=3.5, negative_prompt="snow"))
        (asked,) = served.asked
        assert asked.path == "/huggingface/models/black-forest-labs/flux-schnell"
        assert asked.body == {
            "inputs": "a kingfisher",
            "parameters": {
                "width": 1216,
                "height": 832,
                "num_inference_steps": 4,
                "seed": 77,
                "guidance_scale": 3.5,
                "negative_prompt": "snow",
            },
        }


@pytest.mark.part("JOB-7")
class TestFailures:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("lie", ["hang", "drip"])
    def test_no_answer_in_time_is_transient_and_may_have_been_billed(self, served: Served, name: str, lie: str) -> None:
        served.next(lie)
        error = refused(served, name, seconds=0.4)
        assert (error.category, error.code, error.charged) == (FailureCategory.transient, "provider_timeout", True)
        assert len(served.asked) == 1

    @pytest.mark.parametrize("name", NAMES)
    def test_a_rate_limit_is_waited_for_and_then_left(self, served: Served, name: str) -> None:
        served.next("busy", 2)
        assert draw(served, name)
        served.next("busy", calls.TRIES)
        error = refused(served, name)
        assert (error.category, error.code, error.charged) == (
            FailureCategory.transient,
            "provider_unavailable",
            False,
        )

    @pytest.mark.part("JOB-5")
    @pytest.mark.parametrize("name", NAMES)
    def test_what_is_canceled_while_a_rate_limit_is_waited_for_is_not_begun(self, served: Served, name: str) -> None:
        served.retry_after = "15"
        served.next("busy")
        unwanted = threading.Event()
        threading.Timer(0.1, unwanted.set).start()
        with pytest.raises(ProviderError) as caught:
            draw(served, name, unwanted=unwanted)
        assert (caught.value.category, caught.value.charged) == (FailureCategory.canceled, False)
        assert len(served.asked) == 1

    @pytest.mark.parametrize("asks_for", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
    def test_a_longer_wait_than_is_worth_it_is_left_at_once(self, served: Served, asks_for: str) -> None:
        served.retry_after = asks_for
        served.next("busy")
        error = refused(served, "together")
        assert error.retry_after is not None
        assert error.retry_after >= 3600
        assert len(served.asked) == 1

    def test_a_wait_that_cannot_be_read_is_chosen_by_us(self, served: Served) -> None:
        served.retry_after = "soon"
        served.next("busy")
        assert draw(served, "together")
        assert len(served.asked) == 2

    @pytest.mark.parametrize("name", NAMES)
    def test_a_500_is_transient_and_not_asked_again_at_once(self, served: Served, name: str) -> None:
        served.next("broken")
        error = refused(served, name)
        assert (error.category, error.charged, len(served.asked)) == (FailureCategory.transient, True, 1)
        assert "provider.example" in error.said

    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("lie", ["garbage", "wrong_type", "wrong_size", "too_large"])
    def test_what_is_no_picture_of_the_order_is_never_taken(self, served: Served, name: str, lie: str) -> None:
        served.next(lie)
        error = refused(served, name)
        assert (error.category, error.code) == (FailureCategory.transient, "provider_answer_wrong")
        assert error.charged

    @pytest.mark.parametrize("name", NAMES)
    def test_a_connection_that_breaks_off_is_transient(self, served: Served, name: str) -> None:
        served.next("cut")
        error = refused(served, name)
        assert (error.category, error.code) == (FailureCategory.transient, "provider_unavailable")

    @pytest.mark.parametrize("name", NAMES)
    def test_their_content_policy_ends_the_job_with_an_explanation(self, served: Served, name: str) -> None:
        served.next("policy")
        error = refused(served, name)
        assert (error.category, error.code) == (FailureCategory.input, "prompt_refused_by_provider")
        assert error.fix

    @pytest.mark.parametrize("name", NAMES)
    def test_a_key_that_they_refuse_lets_others_draw(self, served: Served, name: str) -> None:
        served.next("key")
        error = refused(served, name)
        assert (error.category, error.code) == (FailureCategory.transient, "provider_refused_us")

    def test_nobody_at_the_address_is_transient_and_free(self, served: Served) -> None:
        keys = {"together": {"key": KEY, "url": "http://127.0.0.1:9"}}
        with pytest.raises(ProviderError) as caught:
            registry.provider("together", keys).draw(REQUEST, until=time.monotonic() + 5, unwanted=threading.Event())
        assert (caught.value.code, caught.value.charged) == ("provider_unavailable", False)
        del served

    def test_without_time_nothing_is_asked(self, served: Served) -> None:
        assert refused(served, "together", seconds=0).code == "provider_unavailable"
        assert served.asked == []


@pytest.mark.part("JOB-7")
class TestReplicatesPredictions:
    @pytest.mark.parametrize(
        ("error", "category"),
        [
            ("NSFW content detected. Try a different prompt.", FailureCategory.input),
            ("The input or output was flagged as sensitive. (E005)", FailureCategory.input),
            ("CUDA error: device-side assert triggered", FailureCategory.transient),
        ],
    )
    def test_a_failed_prediction_says_why(self, served: Served, error: str, category: FailureCategory) -> None:
        served.next((201, {"id": "p1", "status": "failed", "error": error, "output": None}))
        assert refused(served, "replicate").category is category

    def test_what_does_not_end_in_time_is_canceled(self, served: Served) -> None:
        served.polls = 10_000
        assert refused(served, "replicate", seconds=1.5).code == "provider_timeout"
        assert served.paths()[-1] == "POST /replicate/predictions/pred0/cancel"

    @pytest.mark.part("JOB-5", "JOB-12")
    def test_what_nobody_wants_any_more_is_canceled_there_and_may_cost(self, served: Served) -> None:
        """After two looks at the prediction: there is no third one, only the cancel."""
        served.polls = 10_000
        look = "GET /replicate/predictions/pred0"

        class AfterTwoLooks(threading.Event):
            def is_set(self) -> bool:
                return served.paths().count(look) >= 2

            def wait(self, timeout: float | None = None) -> bool:
                return self.is_set() or super().wait(timeout)

        with pytest.raises(ProviderError) as caught:
            draw(served, "replicate", unwanted=AfterTwoLooks())
        assert (caught.value.category, caught.value.charged) == (FailureCategory.canceled, True)
        assert served.paths()[1:] == [look, look, "POST /replicate/predictions/pred0/cancel"]

    @pytest.mark.parametrize(
        "link",
        ["http://169.254.169.254/latest/meta-data", "https://replicate.delivery.example/x", "file:///etc/passwd"],
    )
    def test_a_file_elsewhere_is_not_fetched(self, served: Served, link: str) -> None:
        served.next((201, {"id": "p1", "status": "succeeded", "error": None, "output": [link]}))
        assert refused(served, "replicate").code == "provider_answer_wrong"
        assert len(served.asked) == 1

    def test_an_answer_without_an_id_is_wrong(self, served: Served) -> None:
        served.next((201, ["a list"]))
        assert refused(served, "replicate").code == "provider_answer_wrong"

    def test_a_file_that_does_not_come_was_drawn_all_the_same(self, served: Served) -> None:
        gone = f"{served.url}/replicate/gone"
        served.next((201, {"id": "p1", "status": "succeeded", "error": None, "output": gone}))
        served.next((404, {}))
        assert refused(served, "replicate").charged


@pytest.mark.part("JOB-7")
class TestConfigured:
    def test_a_provider_is_configured_by_its_key(self) -> None:
        assert registry.configured({}) == frozenset()
        assert registry.configured({"together": {"key": "k"}, "replicate": {"key": ""}}) == {"together"}

    def test_without_a_key_there_is_no_provider(self) -> None:
        with pytest.raises(KeyError):
            registry.provider("replicate", {"together": {"key": "k"}})

    def test_routes_and_clients_know_the_same_providers(self) -> None:
        assert sorted(registry.NAMES) == list(routing.PROVIDERS)
