"""What Docker's own integration tests ask of an engine beside the large things: names by links, words for what is wrong, what clients of each age expect."""
import http.client
import io
import json
import socket
import subprocess
import tarfile
import tempfile

import pytest

from conftest import wait_for
from test_namespaces import NONE, berth  # noqa: F401 (fixture)


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("daemon")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


@pytest.fixture
def ask(berth):  # noqa: F811
    def ask(method, path, body=None, version="1.51", headers=()):
        connection = Connection(berth.daemon.socket)
        data = json.dumps(body) if body is not None and not isinstance(body, str) else body
        connection.request(method, f"/v{version}{path}", data, {"Content-Type": "application/json", **dict(headers)})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.startswith((b"{", b"[")) else text
    return ask


def test_links_are_names(berth, ask):  # noqa: F811
    berth.out("run", "-d", "--name", "first", "box", "sleep", "1000")
    berth.out("run", "-d", "--name", "second", "--link", "first:it", "--link", "first:also", "box", "sleep", "1000")
    identity = berth.out("inspect", "-f", "{{.Id}}", "first")
    names = lambda: next(item for item in ask("GET", "/containers/json")[1] if item["Id"] == identity)["Names"]  # noqa: E731
    assert names() == ["/first", "/second/also", "/second/it"]
    assert berth.out("ps", "--format", "{{.Names}}", "--filter", "name=first") == "first"
    assert berth.out("ps", "--no-trunc", "--format", "{{.Names}}", "--filter", "name=first") == "first,second/also,second/it"
    assert berth.out("inspect", "-f", "{{.Id}}", "second/it") == berth.out("inspect", "-f", "{{.Id}}", "/second/it") == identity
    # They follow the names that containers have.
    berth.out("rename", "second", "third")
    assert names() == ["/first", "/third/also", "/third/it"]
    assert berth.out("exec", "third/it", "hostname") == identity[:12]
    assert "No such container: second/it" in berth("kill", "second/it").stderr
    assert berth.out("rm", "--link", "third/it") == "third/it"
    assert names() == ["/first", "/third/also"]
    assert "No such link: third/it" in berth("rm", "--link", "third/it").stderr
    assert "Conflict, cannot remove the default link name of the container" in berth("rm", "--link", "third").stderr
    berth.out("restart", "-t", "0", "third")
    hosts = berth.out("exec", "third", "cat", "/etc/hosts")
    assert "also" in hosts and "\tit " not in hosts
    # Names change hands: one that would lead to itself leads nowhere.
    berth.out("run", "-d", "--name", "loop", "--link", "third/also:also", "box", "sleep", "1000")
    berth.out("rename", "third", "fourth")
    berth.out("rename", "loop", "third")
    assert "No such container: third/also" in berth("kill", "third/also").stderr
    assert names() == ["/first", "/fourth/also"]
    # Who is gone has no names.
    berth.out("rm", "-f", "first")
    assert "No such container: third/also" in berth("inspect", "--type", "container", "third/also").stderr


def test_a_network_may_come_after_the_container(berth):  # noqa: F811
    berth.out("create", "--name", "early", "--network", "later", "box", "ip", "addr")
    refused = berth("start", "early")
    assert refused.returncode == 1 and "network later not found" in refused.stderr
    berth.out("network", "create", "later")
    assert "eth0" in berth.out("start", "-a", "early")
    refused = berth("run", "--name", "never", "--network", "nowhere", "box", "true")
    assert refused.returncode == 125 and "network nowhere not found" in refused.stderr
    assert berth.out("inspect", "-f", "{{.State.Status}}", "never") == "created"


def test_words_and_statuses(berth, ask):  # noqa: F811
    berth.out("run", "-d", "--name", "it", *NONE, "box", "sleep", "1000")
    refused = [
        ("POST", "/containers/create", {}, "config cannot be empty in order to create a container"),
        ("POST", "/containers/create", {"HostConfig": {"Memory": 1}}, "config cannot be empty in order to create a container"),
        ("POST", "/containers/create", {"Cmd": ["true"]}, "no image specified"),
        ("POST", "/containers/create", "{}{}", "unexpected content after JSON"),
        ("POST", "/containers/create", {"Image": "box", "Cmd": ["true"], "HostConfig": {"CpuShares": -1}}, "invalid CPU shares (-1): value must be a positive integer"),
        ("POST", "/containers/create", {"Image": "box", "Cmd": ["true"], "HostConfig": {"Annotations": {"": "a"}}}, "the empty string is not permitted as an annotation key"),
        ("POST", "/containers/create", {"Image": "box", "Cmd": ["true"], "HostConfig": {"SecurityOpt": ["odd=1"]}}, 'invalid --security-opt 2: "odd=1"'),
        ("POST", "/containers/create", {"Image": "box", "Cmd": ["true"], "HostConfig": {"SecurityOpt": ["odd"]}}, 'invalid --security-opt 1: "odd"'),
        ("POST", "/containers/it/resize", None, 'invalid resize height "": invalid syntax'),
        ("POST", "/containers/it/resize?h=x&w=1", None, 'invalid resize height "x": invalid syntax'),
        ("POST", "/containers/it/resize?h=1&w=-100", None, 'invalid resize width "-100": value out of range'),
        ("POST", "/containers/it/resize?h=4294967296&w=1", None, 'invalid resize height "4294967296": value out of range'),
        ("POST", "/containers/it/attach?stream=1&detachKeys=ctrl-A,a", None, "Invalid detach keys (ctrl-A,a) provided"),
        ("POST", "/images/box/tag?repo=sha256&tag=x", None, "refusing to create an ambiguous tag using digest algorithm as name"),
        ("GET", "/images/json?filters=" + '{"until":["nonsense"]}', None, "invalid filter 'until=nonsense'"),
    ]
    for method, path, body, words in refused:
        status, answer = ask(method, path, body)
        assert status == 400 and words in answer["message"], (path, body, status, answer)
    assert ask("GET", "/containers/it/archive?path=/bin/busybox/")[1]["message"] == "lstat /bin/busybox/: not a directory"
    status, networks = ask("GET", "/networks/")
    assert status == 200 and {network["Name"] for network in networks} >= {"bridge", "host", "none"}
    # A program of an empty name is looked for when it is to start.
    berth.out("create", "--name", "empty", *NONE, "box", "")
    started = berth("start", "empty")
    assert started.returncode == 1 and "executable file not found" in started.stderr


def test_what_was_said_is_shown_as_docker_shows_it(berth, ask):  # noqa: F811
    berth.out("create", "--name", "it", *NONE, "-w", "/tmp/x/../", "--annotation", "a=b", "box", "pwd")
    assert berth.out("inspect", "-f", "{{.Config.WorkingDir}}", "it") == "/tmp"
    assert berth.out("start", "-a", "it") == "/tmp"
    listed = lambda version: ask("GET", "/containers/json?all=1", version=version)[1][0]["HostConfig"]  # noqa: E731
    assert listed("1.46") == {"NetworkMode": "none", "Annotations": {"a": "b"}} and listed("1.45") == {"NetworkMode": "none"}
    berth.out("run", "-d", "--name", "limited", *NONE, "--pids-limit", "32", "box", "sleep", "1000")
    maximum = lambda: berth.out("exec", "limited", "cat", "/sys/fs/cgroup/pids/pids.max")  # noqa: E731
    shown = lambda: berth.out("inspect", "-f", "{{.HostConfig.PidsLimit}}", "limited")  # noqa: E731
    assert (maximum(), shown()) == ("32", "32")
    for limit in (0, -1, -2):
        assert ask("POST", "/containers/limited/update", {"PidsLimit": 16})[0] == 200
        assert (maximum(), shown()) == ("16", "16")
        assert ask("POST", "/containers/limited/update", {"PidsLimit": 8}, version="1.39")[0] == 200
        assert (maximum(), shown()) == ("16", "16")
        assert ask("POST", "/containers/limited/update", {"PidsLimit": limit})[0] == 200
        assert (maximum(), shown()) == ("max", "0")
    berth.out("run", "-d", "--name", "slow", *NONE, "--health-cmd", "echo said so far; sleep 100", "--health-timeout", "4s", "--health-interval", "200ms", "box",
              "sleep", "1000")
    log = wait_for(lambda: json.loads(berth.out("inspect", "-f", "{{json .State.Health.Log}}", "slow")), "a check to be killed")
    assert log[0]["Output"] == "Health check exceeded timeout (4s): said so far\n" and log[0]["ExitCode"] == -1


def test_clients_of_each_age_get_what_they_know(berth, ask):  # noqa: F811
    def made(version, **host):
        identity = ask("POST", "/containers/create", {"Image": "box", "Cmd": ["true"], "HostConfig": host}, version=version)[1]["Id"]
        return ask("GET", f"/containers/{identity}/json")[1]["HostConfig"]

    assert made("1.39")["IpcMode"] == "shareable" and made("1.40")["IpcMode"] == "private"
    assert made("1.41", ConsoleSize=[10, 20])["ConsoleSize"] == [0, 0] and made("1.42", ConsoleSize=[10, 20])["ConsoleSize"] == [10, 20]
    assert "Annotations" not in made("1.42", Annotations={"a": "b"}) and made("1.43", Annotations={"a": "b"})["Annotations"] == {"a": "b"}
    # What lies below a read-only directory can be written for those who never knew better.
    for version, access in (("1.43", "rw"), ("1.44", "ro")):
        body = {"Image": "box", "Cmd": ["sh", "-c", "grep ' /d/shm ' /proc/self/mountinfo"], "HostConfig": {"NetworkMode": "none", "Binds": ["/dev:/d:ro"]}}
        identity = ask("POST", "/containers/create", body, version=version)[1]["Id"]
        assert f" /d/shm {access}," in berth.out("start", "-a", identity)


def test_an_export_of_what_runs_is_what_it_sees(berth):  # noqa: F811
    berth.out("run", "-d", "--name", "it", *NONE, "-v", "vol:/v", "box", "sh", "-c", "echo mine > /own; echo x > /v/hidden; rm /bin/vi; sleep 1000")
    wait_for(lambda: berth("exec", "it", "test", "-e", "/v/hidden").returncode == 0, "it to write")
    with tempfile.NamedTemporaryFile() as file:
        berth.out("export", "-o", file.name, "it")
        archive = tarfile.open(file.name)
        names = archive.getnames()
    assert "own" in names and "bin/vi" not in names and "v" in names and "v/hidden" not in names and "bin/busybox" in names
    assert not [name for name in names if name.startswith(("proc/", "sys/"))]
    berth.out("kill", "it")
    stopped = subprocess.run(berth.words("export", "it"), capture_output=True, check=True).stdout
    assert tarfile.open(fileobj=io.BytesIO(stopped)).getnames() == names


def test_a_process_beside_has_the_size_that_it_was_made_with(berth, ask):  # noqa: F811
    berth.out("run", "-d", "--name", "it", *NONE, "box", "sleep", "1000")

    def size(made, started, version="1.51"):
        body = {"AttachStdout": True, "Tty": True, "Cmd": ["stty", "size"]} | ({"ConsoleSize": made} if made else {})
        identity = ask("POST", "/containers/it/exec", body, version=version)[1]["Id"]
        body = {"Tty": True} | ({"ConsoleSize": started} if started else {})
        return ask("POST", f"/exec/{identity}/start", body, version=version)[1].decode().strip()

    assert size([57, 123], None) == "57 123" and size([57, 123], [11, 22]) == "11 22" and size(None, [11, 22]) == "11 22"
    # Who speaks an older version has not said it.
    assert "57" not in size([57, 123], None, version="1.41")


def test_what_is_no_json_is_told_first_and_in_docker_s_words(berth, ask):  # noqa: F811
    for path in ("/commit", "/containers/create", "/containers/nobody/exec", "/containers/nobody/update"):
        status, answer = ask("POST", path, "{invalid")
        assert status == 400 and "invalid JSON: invalid character 'i' looking for beginning of object key string" in answer["message"], (path, answer)
    status, answer = ask("POST", "/commit", "{}", headers={"Content-Type": "text/plain"}.items())
    assert status == 400 and "unsupported Content-Type header (text/plain): must be 'application/json'" in answer["message"]
    status, answer = ask("POST", "/containers/create", {"Image": "box", "HostConfig": {"Tmpfs": {".": ""}}})
    assert status == 400 and "mount path must be absolute" in answer["message"]


def test_info_says_what_a_container_can_be_given_by_name(berth, ask):  # noqa: F811
    info = ask("GET", "/info")[1]
    assert info["CDISpecDirs"] == ["/etc/cdi", "/var/run/cdi"] and info["DiscoveredDevices"] == [] and info["FirewallBackend"]["Driver"] == "nftables"
    assert "FirewallBackend" not in ask("GET", "/info", version="1.48")[1] and "DiscoveredDevices" not in ask("GET", "/info", version="1.49")[1]
    shown = berth.out("info")
    assert " Security Options:\n" in shown and "\n  seccomp\n   Profile: builtin\n" in shown and " CDI spec directories:\n  /etc/cdi\n  /var/run/cdi\n" in shown
    assert "BridgeNfIptables" not in info and ask("GET", "/info", version="1.49")[1]["BridgeNfIp6tables"] is False


def test_an_empty_part_of_a_volume_gets_what_the_image_has_there(berth):  # noqa: F811
    berth.out("run", "--rm", *NONE, "-v", "parts:/v", "box", "mkdir", "-p", "/v/a/bin", "/v/full")
    berth.out("run", "--rm", *NONE, "-v", "parts:/v", "box", "touch", "/v/full/mine")
    part = lambda name, *more: f"type=volume,source=parts,target=/bin,volume-subpath={name}" + "".join(f",{word}" for word in more)  # noqa: E731
    assert "busybox" in berth.out("run", "--rm", *NONE, "--mount", part("a/bin"), "box", "/bin/busybox", "ls", "/bin").split()
    inside = berth.out("run", "--rm", *NONE, "-v", "parts:/v", "box", "sh", "-c", "ls -A /v /v/a; test -x /v/a/bin/busybox && ls -A /v/full").split()
    assert inside == ["/v:", "a", "full", "/v/a:", "bin", "mine"], inside
    # What is not there is not made, and nothing else of the volume is filled for it.
    refused = berth("run", "--name", "it", *NONE, "--mount", "type=volume,source=fresh,target=/bin,volume-subpath=none", "box", "true")
    assert refused.returncode != 0 and "cannot bind the subpath 'none'" in refused.stderr, refused
    assert berth.out("run", "--rm", *NONE, "-v", "fresh:/v", "box", "ls", "-A", "/v") == ""
