"""The queue or the store is out of reach for a while."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from snapforge.contracts.reports import Done
from tests.gpu_batch.frame.region import Region, wait_for
from tests.gpu_batch.frame.test_attempt import work
from tests.support.aws import free_port


@contextmanager
def forwarding(port: int, endpoint: str) -> Iterator[None]:
    """Pass connections to 127.0.0.1:`port` on to `endpoint`."""
    target = urlsplit(endpoint)
    server = socket.create_server(("127.0.0.1", port))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with source, sink:
            while block := source.recv(65536):
                sink.sendall(block)

    def serve() -> None:
        while True:
            try:
                inner, _ = server.accept()
            except OSError:
                return
            outer = socket.create_connection((target.hostname or "", target.port or 0))
            for pair in ((inner.dup(), outer.dup()), (outer, inner)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()


@pytest.mark.part("JOB-4")
class TestQueueOutOfReach:
    def test_results_are_stored_and_done_is_told_when_it_is_back(self, region: Region) -> None:
        """Nothing listens at the queue's address until result.json lies there."""
        job = region.job(work(count=1))
        port = free_port()
        worker = job.start(AWS_ENDPOINT_URL_SQS=f"http://127.0.0.1:{port}")
        wait_for(lambda: "result.json" in job.names(), "result.json")
        assert job.receive_reports() == []
        with forwarding(port, region.endpoint):
            assert worker.wait() == 0
        assert isinstance(job.last, Done)

    def test_a_store_out_of_reach_is_another_try(self, region: Region) -> None:
        """Without S3 there is nothing to begin with: the exit code asks for another entry."""
        job = region.job(work(count=1))
        worker = job.start(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{free_port()}", AWS_MAX_ATTEMPTS="1")
        assert worker.wait() == 75
        assert job.receive_reports() == []
