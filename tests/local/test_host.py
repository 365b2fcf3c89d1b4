"""The functions host: what API Gateway and Lambda promise, seen from outside."""

import base64
import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from botocore.exceptions import ClientError

from infrastructure.local.region import Region
from tests.support.region import until


def invoke(region: Region, name: str, event: Any = None) -> tuple[str | None, Any]:
    """(FunctionError, payload) through MiniStack's Lambda."""
    answer = region.client("lambda").invoke(FunctionName=f"dev-{name}", Payload=json.dumps(event).encode())
    return answer.get("FunctionError"), json.loads(answer["Payload"].read() or b"null")


class TestHttpApi:
    """Payload 2.0 in, HTTP out."""

    def test_a_request_becomes_a_payload_2_event(self, web: httpx.Client) -> None:
        """Method, path, query, cookies, headers, body and address stand where API Gateway puts them."""
        answer = web.post(
            "/v1/echo?a=1&b=2&a=3&empty=",
            json={"x": "ü"},
            headers={"X-Thing": "one", "Cookie": "first=1; second=2"},
        )

        event = answer.json()["event"]
        assert event["version"] == "2.0"
        assert event["routeKey"] == event["requestContext"]["routeKey"] == "POST /v1/echo"
        assert event["rawPath"] == "/v1/echo"
        assert event["rawQueryString"] == "a=1&b=2&a=3&empty="
        assert event["queryStringParameters"] == {"a": "1,3", "b": "2", "empty": ""}
        assert event["cookies"] == ["first=1", "second=2"]
        assert event["headers"]["x-thing"] == "one"
        assert "cookie" not in event["headers"]
        assert json.loads(event["body"]) == {"x": "ü"}
        assert event["isBase64Encoded"] is False
        assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
        assert event["requestContext"]["http"]["method"] == "POST"
        assert event["requestContext"]["requestId"] == answer.headers["apigw-requestid"]
        assert "pathParameters" not in event

    def test_an_answer_keeps_status_headers_and_cookies(self, web: httpx.Client) -> None:
        answer = web.post("/v1/echo")

        assert answer.status_code == 201
        assert answer.headers["x-own"] == "1"
        assert answer.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]

    def test_binary_bodies_are_base64(self, web: httpx.Client) -> None:
        event = web.post("/v1/echo", content=bytes(range(256)), headers={"content-type": "image/png"}).json()["event"]

        assert event["isBase64Encoded"] is True
        assert base64.b64decode(event["body"]) == bytes(range(256))

    def test_path_variables_are_decoded_and_literals_win(self, web: httpx.Client) -> None:
        assert web.get("/v1/echo/a%20b").json()["event"]["pathParameters"] == {"thing_id": "a b"}
        assert web.get("/v1/echo/literal").json()["event"]["routeKey"] == "GET /v1/echo/literal"

    @pytest.mark.parametrize(
        ("path", "status", "kind", "body"),
        [
            ("plain", 200, "application/json", b'{"just": "data"}'),
            ("text", 200, "application/json", b"words"),
            ("binary", 200, "image/png", bytes(range(256))),
            ("nothing", 204, None, b""),
            ("else", 200, "text/plain;charset=UTF-8", b"else"),
            ("raise", 500, "application/json", b'{"message": "Internal Server Error"}'),
            ("unserialisable", 500, "application/json", b'{"message": "Internal Server Error"}'),
        ],
    )
    def test_each_form_of_answer(
        self, web: httpx.Client, path: str, status: int, kind: str | None, body: bytes
    ) -> None:
        """As an HttpApi infers it; a failing function is 500 without its words."""
        answer = web.put(f"/v1/answer/{path}")

        assert (answer.status_code, answer.headers.get("content-type"), answer.content) == (status, kind, body)

    def test_an_unknown_route_is_not_found(self, web: httpx.Client) -> None:
        assert web.delete("/v1/echo").status_code == 404
        assert web.get("/v1/nothing").json() == {"message": "Not Found"}

    def test_a_body_above_ten_mebibytes_is_refused(self, web: httpx.Client) -> None:
        assert web.post("/v1/echo", content=b"x" * (10 * 1024 * 1024 + 1)).status_code == 413

    def test_a_chunked_body_arrives_whole(self, web: httpx.Client) -> None:
        answer = web.post("/v1/echo", content=iter([b'{"a"', b": 1}"]), headers={"content-type": "application/json"})

        assert answer.json()["event"]["body"] == '{"a": 1}'

    def test_the_edge_names_the_viewer_and_cannot_be_imitated(self, web: httpx.Client) -> None:
        """CloudFront's own headers replace what a viewer sends."""
        sent = {"x-viewer-ip": "1.2.3.4", "x-origin-verify": "guess"}

        headers = web.post("/v1/echo", headers=sent).json()["event"]["headers"]

        assert headers["x-viewer-ip"] == "127.0.0.1"
        assert headers["x-origin-verify"] != "guess"

    def test_a_function_url_gets_the_rest_of_the_path(self, web: httpx.Client) -> None:
        event = web.get("/_url/dev-echo/some/where?x=1").json()["event"]

        assert (event["routeKey"], event["rawPath"], event["rawQueryString"]) == ("$default", "/some/where", "x=1")
        assert web.get("/_url/dev-answer/").status_code == 404


class TestLambda:
    """Processes, environment, errors."""

    def test_a_function_sees_exactly_its_own_environment(self, web: httpx.Client) -> None:
        os.environ["LEAKED_FROM_OUTSIDE"] = "1"
        seen = web.post("/v1/echo").json()

        environment = seen["environment"]
        assert environment["OWN"] == "hello dev-things"
        assert environment["SHARED"] == "everywhere"
        assert environment["AWS_LAMBDA_FUNCTION_NAME"] == "dev-echo"
        assert environment["AWS_SDK_UA_APP_ID"] == "FN_dev_echo"
        assert "SEEN" not in environment
        assert "LEAKED_FROM_OUTSIDE" not in environment
        assert "MINISTACK_LAMBDA_PROXY_URL" not in environment
        assert seen["context"]["name"] == "dev-echo"
        assert seen["context"]["arn"] == "arn:aws:lambda:eu-central-1:000000000000:function:dev-echo"
        assert seen["context"]["memory"] == "256"
        assert 0 < seen["context"]["left"] <= 5000

    def test_modules_of_one_name_in_two_folders_stay_apart(self, small: Region) -> None:
        assert invoke(small, "who-alpha") == (None, ["alpha", "alpha"])
        assert invoke(small, "who-beta") == (None, ["beta", "beta"])

    def test_one_process_serves_one_request_at_a_time_and_then_the_next(
        self, web: httpx.Client, tmp_path: Path
    ) -> None:
        """Four that wait for each other take four processes, side by side; then one of them is used again."""

        def meet(wanted: int) -> dict[str, int]:
            answer: dict[str, int] = web.get("/v1/meet", params={"folder": str(tmp_path), "wanted": wanted}).json()
            return answer

        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(meet, [4] * 4))
        assert [answer["met"] for answer in answers] == [4] * 4
        pids = {answer["pid"] for answer in answers}
        assert len(pids) == 4
        assert meet(1)["pid"] in pids

    def test_a_function_is_killed_at_its_timeout(self, small: Region, web: httpx.Client) -> None:
        """API Gateway says 500; the error names the seconds; the process is gone."""
        before = children(small)
        answer = web.get("/v1/sleepy")

        assert (answer.status_code, answer.json()) == (500, {"message": "Internal Server Error"})
        error, payload = invoke(small, "sleepy")
        assert error is not None
        assert "Task timed out after 1.00 seconds" in payload["errorMessage"]
        until(lambda: children(small) <= before)

    def test_a_crashed_process_is_an_error_and_the_next_call_gets_a_new_one(self, small: Region) -> None:
        for _ in range(2):
            error, payload = invoke(small, "crash")
            assert error is not None
            assert "Runtime exited" in payload["errorMessage"]

    def test_a_handler_that_cannot_be_imported_says_so(self, small: Region) -> None:
        error, payload = invoke(small, "broken")

        assert error is not None
        assert "a_module_that_is_not_there" in payload["errorMessage"]

    def test_an_unknown_function_is_lambdas_own_error(self, small: Region) -> None:
        with pytest.raises(ClientError, match="ResourceNotFoundException"):
            small.client("lambda").invoke(FunctionName="dev-nobody")

    def test_what_a_function_prints_lies_in_its_log(self, small: Region, web: httpx.Client) -> None:
        web.get("/v1/slow")

        log = (small.state_dir / "logs" / "dev-slow.log").read_text()
        assert "going to sleep" in log
        assert "START RequestId:" in log
        assert "REPORT RequestId:" in log

    def test_at_most_eight_processes_stay_idle(self, small: Region, web: httpx.Client) -> None:
        with ThreadPoolExecutor(12) as pool:
            list(pool.map(lambda _: web.get("/v1/slow").status_code, range(12)))

        until(lambda: len(children(small)) <= 8)


class TestDeath:
    """The host is killed from outside and comes back by itself."""

    def test_a_killed_host_comes_back_on_the_same_port_and_leaves_nobody_behind(
        self, small: Region, web: httpx.Client
    ) -> None:
        web.get("/v1/slow")
        family = [psutil.Process(small.functions_host.pid), *psutil.Process(small.functions_host.pid).children(True)]
        assert len(family) >= 3
        os.kill(small.functions_host.pid, signal.SIGKILL)

        assert httpx.get(f"{small.api_url}/v1/slow", trust_env=False, timeout=30).status_code == 200
        _, alive = psutil.wait_procs(family, timeout=5)
        assert alive == []

    def test_a_killed_fork_server_is_replaced(self, small: Region, web: httpx.Client) -> None:
        until(lambda: zygotes(small))[0].kill()

        assert until(lambda: web.post("/v1/echo").status_code == 201)

    def test_a_restart_keeps_callers_waiting_instead_of_refusing_them(self, small: Region, web: httpx.Client) -> None:
        with ThreadPoolExecutor(1) as pool:
            restarted = pool.submit(small.restart_functions_host)
            statuses = []
            while not restarted.done():
                statuses.append(httpx.get(f"{small.api_url}/v1/echo/x", trust_env=False, timeout=20).status_code)
            restarted.result()
        assert set(statuses) == {201}
        assert web.post("/v1/echo").status_code == 201


def zygotes(region: Region) -> list[psutil.Process]:
    """The fork server, and those that are on their way out."""
    found: list[psutil.Process] = psutil.Process(region.functions_host.pid).children()
    return found


def children(region: Region) -> set[int]:
    """The function processes: children of the fork server."""
    return {child.pid for zygote in zygotes(region) for child in zygote.children()}
