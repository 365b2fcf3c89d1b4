"""LoRA adapters in the frame: fetched once, kept by content within bounds, and never mixed in a micro-batch."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from snapforge.contracts.adapters import AdapterRef
from snapforge.contracts.reports import Done, Failed
from tests.gpu_batch.frame import warm
from tests.gpu_batch.frame.region import Job, Region
from tests.gpu_batch.frame.warm import Fleet, fleet_of
from worker.adapters import AdapterCache, fetch_adapters, path_of, working
from worker.errors import BugError, InputError
from worker.storage import Missing, Storage

pytestmark = pytest.mark.part("JOB-9")


class Bucket:
    """S3 in memory, with a note of what was fetched."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.fetched: list[str] = []

    def put(self, name: str, body: bytes, weight: float = 1.0) -> AdapterRef:
        """Store an adapter."""
        self.objects[f"s3://b/{name}"] = body
        return ref(name, f"s3://b/{name}", body, weight)

    def exists(self, uri: str) -> bool:
        return uri in self.objects

    def download(self, uri: str, to: Path) -> None:
        if uri not in self.objects:
            raise Missing(uri)
        self.fetched.append(uri.rpartition("/")[2])
        to.write_bytes(self.objects[uri])


def ref(name: str, uri: str, body: bytes, weight: float = 1.0) -> AdapterRef:
    """How an order names an adapter."""
    digest = hashlib.sha256(body).hexdigest()
    return AdapterRef(id=name, version=2, uri=uri, sha256=digest, family="flux1", rank=4, weight=weight)


class Kept:
    """A bucket and a cache of ten bytes before it."""

    def __init__(self, folder: Path) -> None:
        self.bucket, self.folder = Bucket(), folder
        self.cache = AdapterCache(cast(Storage, self.bucket), folder / "cache", max_bytes=10)
        self._links = 0

    def use(self, adapter: AdapterRef) -> bytes:
        """What an attempt finds at its own place."""
        self._links += 1
        to = self.folder / str(self._links)
        self.cache.link(adapter, to)
        return to.read_bytes()

    def here(self) -> set[bytes]:
        """What lies in the cache's folder."""
        return {path.read_bytes() for path in (self.folder / "cache").iterdir()}


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


class TestCache:
    def test_it_is_fetched_once_and_the_least_recently_used_leaves(self, kept: Kept) -> None:
        """Room for two of four bytes; what has left is fetched again, what was linked stays."""
        a, b, c = (kept.bucket.put(name, name.encode() * 4) for name in "abc")
        for adapter in (a, b, a):
            kept.use(adapter)
        assert kept.bucket.fetched == ["a", "b"]
        kept.use(c)
        assert kept.here() == {b"aaaa", b"cccc"}
        assert (kept.folder / "2").read_bytes() == b"bbbb"
        assert (kept.use(a), kept.use(b)) == (b"aaaa", b"bbbb")
        assert kept.bucket.fetched == ["a", "b", "c", "b"]

    def test_one_larger_than_the_bound_is_used_all_the_same(self, kept: Kept) -> None:
        """And leaves with the next."""
        assert kept.use(kept.bucket.put("large", b"l" * 20)) == b"l" * 20
        kept.use(kept.bucket.put("small", b"s"))
        assert kept.here() == {b"s"}

    def test_equal_content_of_two_loras_is_one_file(self, kept: Kept) -> None:
        first, second = kept.bucket.put("first", b"same"), kept.bucket.put("second", b"same")
        assert (kept.use(first), kept.use(second)) == (b"same", b"same")
        assert kept.bucket.fetched == ["first"]

    def test_another_content_than_ordered_is_refused_and_not_kept(self, kept: Kept) -> None:
        """Ours to mend; an attempt gets nothing."""
        adapter = kept.bucket.put("vase", b"right")
        kept.bucket.objects[adapter.uri] = b"wrong"
        with pytest.raises(BugError, match=r"vase \(version 2\) has sha256") as damaged:
            kept.use(adapter)
        assert damaged.value.code == "lora_damaged"
        assert kept.here() == set()
        assert not (kept.folder / "1").exists()

    def test_what_was_deleted_is_gone_though_it_was_here(self, kept: Kept) -> None:
        """Deleted is deleted: not drawn with any more, and off the disk."""
        adapter = kept.bucket.put("vase", b"mine")
        kept.use(adapter)
        del kept.bucket.objects[adapter.uri]
        with pytest.raises(InputError, match=r"The LoRA vase \(version 2\) does not exist any more.") as gone:
            kept.use(adapter)
        assert (gone.value.code, gone.value.fix) == ("lora_gone", "Choose another LoRA or train it again.")
        assert kept.here() == set()

    def test_an_attempt_gets_what_works_once(self, kept: Kept) -> None:
        """Weight 0 is not even looked for; one content twice is one file (the engine says that it was asked twice)."""
        vase, dog = kept.bucket.put("vase", b"vase"), kept.bucket.put("dog", b"dog", 0.0)
        del kept.bucket.objects[dog.uri]
        order = warm.work(adapters=(dog, vase, vase.model_copy(update={"weight": 0.5})))
        fetch_adapters(kept.cache, order, kept.folder)
        assert [item.weight for item in working(order)] == [0.5, 1.0]
        assert path_of(vase, kept.folder).read_bytes() == b"vase"
        assert kept.bucket.fetched == ["vase"]


@pytest.fixture
def fleet(region: Region) -> Iterator[Fleet]:
    """Queues of this test alone."""
    made = fleet_of(region)
    yield made
    made.close()


def stored(region: Region, name: str, weight: float = 1.0) -> AdapterRef:
    """An adapter whose content is its name."""
    return ref(name, region.put(f"loras/{name}/2.safetensors", name.encode()), name.encode(), weight)


def ending(job: Job) -> tuple[str, str]:
    """(category, code) of a failed job."""
    assert isinstance(job.last, Failed)
    return job.last.category, job.last.code


class TestWarm:
    def test_equal_sets_share_a_micro_batch_and_others_never(self, region: Region, fleet: Fleet) -> None:
        """By content and weight, in any order; weight 0 is the base; who cannot be served fails alone."""
        vase, dog = stored(region, "vase"), stored(region, "dog")
        half = vase.model_copy(update={"weight": 0.5})
        sets: list[tuple[AdapterRef, ...]] = [
            (), (vase,), (half,), (vase, dog), (dog,),
            (dog.model_copy(update={"weight": 0.0}),), (vase,), (half,), (dog, vase), (dog,),
        ]  # fmt: skip
        jobs = [fleet.submit(seed=seed, adapters=chosen) for seed, chosen in enumerate(sets)]
        gone = fleet.submit(seed=90, adapters=(vase, ref("gone", "s3://snapforge-none/gone", b"gone")))
        wrong = fleet.submit(seed=91, adapters=(vase.model_copy(update={"sha256": "0" * 64}),))
        worker = fleet.run(MICRO_BATCH="8")
        assert worker.code == 0
        drawn = {
            frozenset(line["seeds"]): {tuple(adapter) for adapter in line["adapters"]}
            for line in worker.log
            if line["message"] == "draws"
        }
        assert drawn == {
            frozenset({0, 5}): set(),
            frozenset({1, 6}): {("vase", 1.0)},
            frozenset({2, 7}): {("vase", 0.5)},
            frozenset({3, 8}): {("vase", 1.0), ("dog", 1.0)},
            frozenset({4, 9}): {("dog", 1.0)},
        }
        assert all(isinstance(job.last, Done) for job in jobs)
        assert ending(gone) == ("input", "lora_gone")
        assert ending(wrong) == ("bug", "lora_damaged")
        fetched = [line["lora"] for line in worker.log if line["message"] == "adapter"]
        assert sorted(fetched) == ["dog", "vase"]
