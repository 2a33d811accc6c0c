"""Requests that no client sends: malformed, absurd, endless. Each is answered with a reason and changes nothing."""
import http.client
import json
import socket

import pytest


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


@pytest.fixture
def ask(daemon):
    def ask(method, target, body=None, type="application/json"):
        connection = Connection(daemon.socket)
        connection.request(method, target, body, {"Content-Type": type} if body is not None else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, text

    before = {target: ask("GET", target)[1] for target in ("/containers/json?all=1", "/images/json")}
    yield ask
    assert ask("GET", "/_ping") == (200, b"OK")
    for target, listed in before.items():
        assert ask("GET", target)[1] == listed, "a refused request has changed something"


def refused(answer, statuses):
    status, text = answer
    assert status in statuses, (status, text[:300])
    message = json.loads(text)["message"]
    assert message and "\n" not in message.strip()
    return message


BODIES = {
    "nothing": b"", "no JSON": b"{", "words": b"hello", "a list": b"[]", "a number": b"1", "two values": b"{}{}", "zeros": b"\0" * 100, "half a text": b'{"Image":"',
    "a control character": b'{"Image":"a\nb"}', "a deep list": b'{"Env":' + b"[" * 100_000, "a deep object": b'{"a":' * 100_000, "a huge number": b'{"StopTimeout":1e999}',
    "a wrong kind": b'{"Image":{}}', "a number for a text": b'{"Image":1}', "twice by case": b'{"Image":"a","image":"b"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_containers_are_not_made_of_nonsense(ask, body):
    refused(ask("POST", "/containers/create", body), {400})


@pytest.mark.parametrize("members, word", [
    ({"Image": "x" * 100_000}, "invalid reference"), ({"Image": "UPPER"}, "lowercase"), ({"Image": "nothing-of-that-name"}, "No such image"), ({}, "config cannot be empty"), ({"Cmd": ["x"]}, "no image"),
    ({"Image": "x", "Healthcheck": {"Test": ["CMD", "true"], "Mood": "good"}}, "Healthcheck.Mood"), ({"Image": "x", "Whatever": 1}, "Whatever"),
    ({"Image": "x", "HostConfig": {"Memory": -1}}, "Memory"), ({"Image": "x", "HostConfig": {"Memory": 2**63}}, "Memory"),
    ({"Image": "x", "HostConfig": {"Binds": ["::::"]}}, "volume"), ({"Image": "x", "HostConfig": {"Binds": ["name:/x:odd"]}}, "invalid mode"),
    ({"Image": "x", "HostConfig": {"ShmSize": -5}}, "SHM"), ({"Image": "x", "HostConfig": {"RestartPolicy": {"Name": "sometimes"}}}, "sometimes"),
    ({"Image": "x", "HostConfig": {"LogConfig": {"Type": "gelf"}}}, "gelf"), ({"Image": "x", "HostConfig": {"SecurityOpt": ["fly"]}}, "fly"),
    ({"Image": "x", "HostConfig": {"Mounts": [{"Type": "volume"}]}}, "volume"),
])
def test_containers_are_not_made_of_absurd_wishes(ask, members, word):
    assert word in refused(ask("POST", "/containers/create", json.dumps(members)), {400, 404})


@pytest.mark.parametrize("method, target", [
    ("GET", "/containers/json?filters={"), ("GET", "/containers/json?filters=%7B%22sky%22%3A%5B%22blue%22%5D%7D"), ("GET", "/containers/json?limit=many"),
    ("GET", "/containers/json?filters=" + "%5B" * 2000), ("GET", "/containers/json?all=%zz"), ("GET", "/images/json?filters=[1]"), ("GET", "/events?since=yesterday&until=0"),
    ("GET", "/events?filters=1"), ("POST", "/containers/create?name=-"), ("POST", "/images/x/tag?repo=UPPER"), ("POST", "/images/create?fromSrc=-&repo=UPPER"),
    ("GET", "/v1.20/info"), ("GET", "/v1.52/info"), ("GET", "/v99.99/info"),
])
def test_parameters_that_say_nothing_sensible_are_refused(ask, method, target):
    refused(ask(method, target, b"{}" if method == "POST" else None), {400, 404})


@pytest.mark.parametrize("method, target", [
    ("GET", "/containers/nobody/json"), ("POST", "/containers/nobody/start"), ("POST", "/containers/nobody/stop"), ("POST", "/containers/nobody/kill?signal=NONE"),
    ("POST", "/containers/nobody/wait"), ("POST", "/containers/nobody/exec"), ("DELETE", "/containers/nobody"), ("GET", "/containers/nobody/logs?stdout=1"),
    ("GET", "/exec/nobody/json"), ("POST", "/exec/nobody/start"), ("GET", "/images/nobody/json"), ("DELETE", "/images/nobody"), ("GET", "/nowhere"), ("PUT", "/info"),
    ("GET", "/containers/" + "x" * 5000 + "/json"), ("GET", "/containers/%00/json"), ("GET", "/containers/..%2f..%2fetc/json"), ("GET", "/images/%ff%fe/json"),
])
def test_what_is_not_there_is_not_found(ask, method, target):
    refused(ask(method, target, b'{"Cmd":["x"]}' if target.endswith("exec") else b"{}" if method == "POST" and "exec" in target else None), {400, 404})


def test_a_body_that_is_no_json_by_its_own_word_is_refused(ask):
    refused(ask("POST", "/containers/create", b"{}", type="text/plain"), {400, 415})


def test_a_body_without_end_is_refused_before_it_is_kept(ask):
    status, text = ask("POST", "/containers/create", b'{"Image":"' + b"x" * (5 << 20) + b'"}')
    assert status in (400, 413), (status, text[:200])
