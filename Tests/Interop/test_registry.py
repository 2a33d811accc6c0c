"""Images from registries and back: Debian's docker-registry on loopback, and the clients that people have."""
import base64
import crypt
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request

import pytest

from conftest import BIN, Client, Daemon, clients, wait_for
from test_confinement import Docker
from test_images_archives import Image, run


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Registry:
    """Debian's docker-registry, with what its configuration says besides."""

    def __init__(self, base, address="127.0.0.1", http={}, **more):
        self.base, self.port, self.address = pathlib.Path(base), free_port(), address
        self.host = f"{address}:{self.port}"
        self.log = self.base / "registry.log"
        configuration = {
            "version": 0.1, "log": {"level": "warn"},
            "storage": {"filesystem": {"rootdirectory": str(self.base / "data")}, "delete": {"enabled": True}},
            "http": {"addr": self.host, **http}, **more}
        (self.base / "config.yml").write_text(json.dumps(configuration))
        self.process = subprocess.Popen(
            ["/usr/bin/docker-registry", "serve", self.base / "config.yml"], stdin=subprocess.DEVNULL, stdout=open(self.log, "wb"),
            stderr=subprocess.STDOUT)
        wait_for(self.answers, f"docker-registry to answer; its log: {self.log}")

    def answers(self):
        assert self.process.poll() is None, self.log.read_text()
        try:
            socket.create_connection((self.address, self.port), 1).close()
            return True
        except OSError:
            return False

    def manifest(self, repository, reference):
        """What the registry itself says: the digest, and the manifest's bytes."""
        request = urllib.request.Request(f"http://{self.host}/v2/{repository}/manifests/{reference}", headers={"Accept": ", ".join([
            "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json"])})
        with urllib.request.urlopen(request) as answer:
            return answer.headers["Docker-Content-Digest"], answer.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return Image(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def registry(tmp_path_factory, image):
    registry = Registry(tmp_path_factory.mktemp("registry"))
    for name in ("library/sample:1", "library/sample:latest", "deep/er/sample:2"):
        run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{image.layout}:made", f"docker://{registry.host}/{name}")
    yield registry
    registry.stop()


class Plain(Client):
    """A command line without a recorder: any number of one name."""

    def __init__(self, name, daemon):
        self.name, self.program, self.daemon = name, clients()[name], daemon
        self.environment = {
            "PATH": os.environ["PATH"], "HOME": str(daemon.base), "DOCKER_HOST": f"unix://{daemon.socket}", "TERM": "xterm", "LC_ALL": "C.UTF-8",
        }


class RegistryDaemon(Daemon):
    """With the registry as the mirror of Docker Hub."""

    def __init__(self, base, *flags):
        super().__init__(base)
        self.flags = flags

    def arguments(self):
        return [*super().arguments(), *self.flags]


@pytest.fixture(scope="module")
def daemon(registry):
    base = tempfile.mkdtemp(prefix="berth-registry-")
    daemon = RegistryDaemon(base, "--registry-mirror", f"http://{registry.host}").start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module", params=clients())
def client(request, daemon):
    return Client(request.param, clients()[request.param], daemon)


@pytest.fixture(autouse=True)
def nothing_is_left(request):
    """Each test begins without images."""
    yield
    if "client" in request.fixturenames:
        client = request.getfixturevalue("client")
        for name in client.out("images", "-aq").split():
            client("rmi", "-f", name, status=None)


def digest_of(client, name):
    return [entry.split("@")[1] for entry in json.loads(client.out("image", "inspect", name))[0]["RepoDigests"]]


def test_an_image_is_pulled_and_pushed_with_the_same_digests(client, registry, image):
    name = f"{registry.host}/library/sample:1"
    lines = client.out("pull", name).splitlines()
    assert lines[0] == "1: Pulling from library/sample"
    assert lines[-3:] == [f"Digest: {image.manifest_digest}", f"Status: Downloaded newer image for {name}", name]
    layers = [layer["digest"].split(":")[1][:12] for layer in image.manifest["layers"]]
    for layer in layers:
        assert [f"{layer}: Pulling fs layer"] == [line for line in lines if line == f"{layer}: Pulling fs layer"]
        assert f"{layer}: Pull complete" in lines
    assert digest_of(client, name) == [image.manifest_digest]
    assert json.loads(client.out("image", "inspect", name))[0]["Id"] == image.id
    assert client.out("pull", name).splitlines()[-2] == f"Status: Image is up to date for {name}"

    other = f"{registry.host}/of/{client.name}:tag"
    client("tag", name, other)
    lines = client.out("push", other).splitlines()
    assert lines[0] == f"The push refers to repository [{registry.host}/of/{client.name}]"
    assert lines[-1] == f"tag: digest: {image.manifest_digest} size: {len(image.blob(image.manifest_digest))}"
    assert registry.manifest(f"of/{client.name}", "tag") == (image.manifest_digest, image.blob(image.manifest_digest))
    short = [digest.split(":")[1][:12] for digest in image.diff_ids]
    states = {line.split(": ")[1] for line in lines[1:-1] if line.split(": ")[0] in short}
    assert states <= {"Preparing", "Pushed", "Mounted from library/sample", "Layer already exists", "Waiting"}, lines
    assert {line.split(": ")[1] for line in client.out("push", other).splitlines()[1:-1]} <= {"Preparing", "Layer already exists", "Waiting"}


def test_what_was_pulled_runs(client, registry):
    done = client("run", "--rm", "--network", "none", f"{registry.host}/deep/er/sample:2", "/usr/bin/busybox", "echo", "it runs")
    assert done.stdout == "it runs\n"
    assert f"Unable to find image '{registry.host}/deep/er/sample:2' locally" in done.stderr
    assert "Pull complete" in done.stderr
    assert client.out("run", "--rm", "--pull", "never", "--network", "none", f"{registry.host}/deep/er/sample:2", "/usr/bin/busybox", "echo", "x") == "x"
    assert "Image is up to date" in client("create", "--pull", "always", f"{registry.host}/deep/er/sample:2").stderr
    for container in client.out("ps", "-aq").split():
        client("rm", "-f", container)


def test_never_pulls_nothing(client, registry):
    name = f"{registry.host}/deep/er/sample:2"
    done = client("create", "--pull", "never", name, "sh", status=1)
    assert "No such image" in done.stderr and "Pull" not in done.stderr
    assert client.out("images", "-q") == ""


def test_by_digest(client, registry, image):
    name = f"{registry.host}/library/sample@{image.manifest_digest}"
    lines = client.out("pull", name).splitlines()
    assert lines[0] == f"{registry.host}/library/sample@{image.manifest_digest}: Pulling from library/sample" or lines[0] == f"{image.manifest_digest}: Pulling from library/sample"
    assert lines[-2] == f"Status: Downloaded newer image for {name}"
    assert client.out("images", "--digests", "--format", "{{.Repository}} {{.Tag}} {{.Digest}}") == f"{registry.host}/library/sample <none> {image.manifest_digest}"
    assert json.loads(client.out("image", "inspect", name))[0]["Id"] == image.id
    client("rmi", name)


def test_a_mirror_of_docker_hub(client, image):
    lines = client.out("pull", "sample").splitlines()
    assert lines[0] == "Using default tag: latest"
    assert lines[-2:] == ["Status: Downloaded newer image for sample:latest", "docker.io/library/sample:latest"]
    assert client.out("pull", "-q", "sample") == "docker.io/library/sample:latest"


def test_what_cannot_be_pulled_is_an_error_with_a_reason(client, registry):
    done = client("pull", f"{registry.host}/library/sample:none", status=1)
    assert "manifest unknown" in done.stderr, done.stderr
    done = client("pull", f"{registry.host}/library/none", status=1)
    assert "Error response from daemon: " in done.stderr
    done = client("pull", f"127.0.0.1:{free_port()}/library/none", status=1)
    assert "127.0.0.1" in done.stderr
    done = client("push", f"{registry.host}/library/none", status=1)
    assert f"An image does not exist locally with the tag: {registry.host}/library/none" in done.stderr
    assert client.out("images", "-q") == ""


def test_jobs_are_listed_and_followed(daemon, registry):
    berth = Plain("berth", daemon)
    job = berth.out("pull", "--detach", f"{registry.host}/library/sample:1")
    assert job.startswith("pull-")
    assert berth.out("jobs", "follow", job).splitlines()[-1] == f"{job}: succeeded"
    states = [json.loads(line) for line in berth.out("jobs", "follow", "--format", "json", job).splitlines()]
    assert states[-1]["state"] == "succeeded" and states[-1]["isBound"] is False
    assert [part["status"] for part in states[-1]["parts"]] and {part["status"] for part in states[-1]["parts"]} <= {"Pull complete", "Already exists"}
    assert job in berth.out("jobs", "-q").splitlines() and job in berth.out("jobs", "ls", "-q").splitlines()
    assert berth.out("jobs", "cancel", job) == job
    assert "no such job" in berth("jobs", "follow", "pull-999", status=1).stderr
    berth("rmi", f"{registry.host}/library/sample:1")


def lines_of(text):
    """The lines of a pull or a push, without the order in which layers come."""
    lines = text.splitlines()
    return lines[0], sorted({line for line in lines[1:] if ": " in line and len(line.split(": ")[0]) == 12 and line.split(": ")[1] not in ("Waiting", "Verifying Checksum")}), lines[-3:]


def test_the_output_is_dockerds(daemon, registry, image):
    base = tempfile.mkdtemp(prefix="docker-registry-")
    docker = Docker(base)
    try:
        ours = Plain("docker-debian", daemon)
        name = f"{registry.host}/library/sample:1"
        pulled = (docker.out("pull", name), ours("pull", name).stdout)
        assert lines_of(pulled[0])[0] == lines_of(pulled[1])[0]
        assert lines_of(pulled[0])[2] == lines_of(pulled[1])[2]
        extra = set(lines_of(pulled[1])[1]) - set(lines_of(pulled[0])[1])
        assert all(line.endswith(": Extracting") for line in extra), extra
        assert {line for line in lines_of(pulled[0])[1] if line.endswith(("Pull complete", "Pulling fs layer"))} <= set(lines_of(pulled[1])[1])
        for number, (whose, out) in enumerate((("docker", docker.out), ("ours", lambda *words: ours(*words).stdout))):
            out("tag", name, f"{registry.host}/compare/{whose}:1")
            pushed = out("push", f"{registry.host}/compare/{whose}:1").replace(whose, "X").splitlines()
            assert pushed[0] == f"The push refers to repository [{registry.host}/compare/X]"
            assert pushed[-1].startswith("1: digest: sha256:")
        ours("rmi", name, f"{registry.host}/compare/ours:1")
    finally:
        docker.stop()
        shutil.rmtree(base)


PASSWORD = "sesame-4711"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A registry that lets in one user."""
    base = tmp_path_factory.mktemp("guarded")
    (base / "htpasswd").write_text("me:" + crypt.crypt(PASSWORD, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)) + "\n")
    registry = Registry(base, auth={"htpasswd": {"realm": "test", "path": str(base / "htpasswd")}})
    yield registry
    registry.stop()


def log_in(client, host, password=PASSWORD, status=0):
    return client("login", "-u", "me", "--password-stdin", host, input=password + "\n", status=status)


def test_login_push_pull_logout(client, guarded, registry, image):
    config = client.daemon.base / ".docker/config.json"
    client("pull", f"{registry.host}/library/sample:1")
    name = f"{guarded.host}/mine/{client.name}:1"
    client("tag", f"{registry.host}/library/sample:1", name)
    refused = client("push", name, status=1).stderr
    assert f"you are not logged in to {guarded.host}; run: berth login {guarded.host}" in refused, refused
    assert client("pull", f"{guarded.host}/mine/none", status=1).stderr.startswith("Error response from daemon: pull access denied for ")
    wrong = log_in(client, guarded.host, "wrong", status=1)
    assert "unauthorized" in wrong.stderr and not config.exists() or guarded.host not in config.read_text()

    done = log_in(client, guarded.host)
    assert "Login Succeeded" in done.stdout
    assert "WARNING! Your" in done.stderr and str(config) in done.stderr
    assert config.stat().st_mode & 0o777 == 0o600
    assert base64.b64decode(json.loads(config.read_text())["auths"][guarded.host]["auth"]).decode() == f"me:{PASSWORD}"
    assert client.out("push", name).splitlines()[-1].startswith(f"1: digest: {image.manifest_digest}")
    client("rmi", "-f", json.loads(client.out("image", "inspect", name))[0]["Id"])
    assert f"Digest: {image.manifest_digest}" in client.out("pull", name).splitlines()

    assert client.out("logout", guarded.host) == f"Removing login credentials for {guarded.host}"
    assert guarded.host not in config.read_text()
    # Nor is anything answered from what is here.
    client("pull", name, status=1)
    assert PASSWORD not in client.daemon.log.read_text()
    assert base64.b64encode(f"me:{PASSWORD}".encode()).decode() not in client.daemon.log.read_text()


def test_a_login_is_everybodys_who_has_the_file(daemon, guarded, registry):
    docker, berth = Plain("docker-debian", daemon), Plain("berth", daemon)
    log_in(docker, guarded.host)
    berth("pull", f"{registry.host}/library/sample:1")
    berth("tag", f"{registry.host}/library/sample:1", f"{guarded.host}/shared:1")
    berth("push", "-q", f"{guarded.host}/shared:1")
    assert berth.out("registry", "ls", "-q", guarded.host).splitlines().count("shared") == 1
    assert berth.out("registry", "tags", "-q", f"{guarded.host}/shared") == "1"
    assert json.loads(berth.out("manifest", "inspect", f"{guarded.host}/shared:1"))["schemaVersion"] == 2
    berth("logout", guarded.host)
    assert "docker.io" not in docker("pull", f"{guarded.host}/shared:1", status=1).stdout
    berth("rmi", "-f", f"{guarded.host}/shared:1", f"{registry.host}/library/sample:1")


def test_a_login_is_asked_for_at_a_terminal(daemon, guarded):
    berth = Plain("berth", daemon)
    terminal = berth.terminal("login", guarded.host)
    terminal.expect_exact("Username: ")
    terminal.sendline("me")
    terminal.expect_exact("Password: ")
    terminal.sendline(PASSWORD)
    terminal.expect_exact("Login Succeeded")
    terminal.expect(pytest.importorskip("pexpect").EOF)
    assert PASSWORD not in terminal.before
    assert "Authenticating with existing credentials" in berth("login", guarded.host).stderr
    berth("logout", guarded.host)
    assert "non TTY" in berth("login", guarded.host, input="", status=1).stderr


def test_an_image_is_copied_between_registries(daemon, guarded, registry, image):
    berth = Plain("berth", daemon)
    log_in(berth, guarded.host)
    target = f"{guarded.host}/copied:1"
    assert berth.out("image", "copy", f"docker://{registry.host}/library/sample:1", f"docker://{target}") == f"{guarded.host}/copied@{image.manifest_digest}"
    assert berth.out("images", "-q") == ""
    assert f"Digest: {image.manifest_digest}" in berth.out("pull", target)
    berth("registry", "rm", f"{guarded.host}/copied@{image.manifest_digest}")
    assert "manifest unknown" in berth("pull", target, status=1).stderr
    berth("logout", guarded.host)
    berth("rmi", target)


def test_all_tags(client, registry, image):
    lines = client.out("pull", "-a", f"{registry.host}/library/sample").splitlines()
    assert sorted(line for line in lines if "Pulling from" in line) == ["1: Pulling from library/sample", "latest: Pulling from library/sample"]
    assert lines.count(f"Digest: {image.manifest_digest}") == 2
    assert f"Status: Downloaded newer image for {registry.host}/library/sample" in lines
    for tag in ("1", "latest"):
        client("tag", f"{registry.host}/library/sample:{tag}", f"{registry.host}/all/{client.name}:{tag}")
    client("push", "-a", f"{registry.host}/all/{client.name}")
    for tag in ("1", "latest"):
        assert registry.manifest(f"all/{client.name}", tag)[0] == image.manifest_digest


def test_a_search_where_there_is_none_is_a_clear_error(client, registry):
    assert f"{registry.host} does not offer a search" in client("search", f"{registry.host}/sample", status=1).stderr


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    """A test authority, and a certificate of it for an address that is not this machine itself."""
    base = tmp_path_factory.mktemp("authority")
    address = "10.213.7.1"
    run("ip", "address", "replace", f"{address}/32", "dev", "lo")
    run("bash", "-euc", f"""
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj '/CN=test authority' -addext basicConstraints=critical,CA:TRUE
        openssl req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj '/CN={address}'
        openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt -days 2 -extfile <(echo subjectAltName=IP:{address})
        """, cwd=base)
    yield address, base
    run("ip", "address", "del", f"{address}/32", "dev", "lo")


class TrustingDaemon(RegistryDaemon):
    """In a mount namespace of its own, where /etc/docker/certs.d says whom it trusts."""

    def __init__(self, base, certificates):
        super().__init__(base)
        self.certificates = certificates

    def arguments(self):
        return ["unshare", "--mount", "bash", "-euc", 'mkdir -p /etc/docker; mount --bind "$0" /etc/docker; exec "$@"', self.certificates, *super().arguments()]


def test_tls_by_an_authority_of_ones_own(authority, image, tmp_path):
    address, folder = authority
    registry = Registry(tmp_path, address=address, http={"tls": {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")}})
    certificates = tmp_path / "etc"
    directory = certificates / "certs.d" / registry.host
    directory.mkdir(parents=True)
    base = tempfile.mkdtemp(prefix="berth-tls-")
    daemon = TrustingDaemon(base, certificates).start()
    try:
        berth = Plain("berth", daemon)
        layout = image.layout
        run("skopeo", "copy", "-q", "--preserve-digests", "--dest-tls-verify=false", f"oci:{layout}:made", f"docker://{registry.host}/sample:1")
        refused = berth("pull", f"{registry.host}/sample:1", status=1).stderr
        assert "certificate" in refused and registry.host in refused, refused
        shutil.copy(folder / "ca.crt", directory / "ca.crt")
        assert f"Digest: {image.manifest_digest}" in berth.out("pull", f"{registry.host}/sample:1")
        docker = Plain("docker-debian", daemon)
        docker("tag", f"{registry.host}/sample:1", f"{registry.host}/other:1")
        assert docker.out("push", f"{registry.host}/other:1").splitlines()[-1].startswith(f"1: digest: {image.manifest_digest}")
    finally:
        daemon.stop()
        registry.stop()
        shutil.rmtree(base)


class GatedRegistry:
    """Serves an image by ranges, and holds the largest layer back in its middle until it is let go."""

    def __init__(self, image):
        self.ranges, self.gate, self.reached = [], threading.Event(), threading.Event()
        blobs = {path.name: path.read_bytes() for path in (image.layout / "blobs/sha256").iterdir()}
        largest = max(image.manifest["layers"], key=lambda layer: layer["size"])["digest"]
        self.half = len(blobs[largest.split(":")[1]]) // 2
        this = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                parts = self.path.split("/")
                if self.path in ("/v2", "/v2/"):
                    return self.give(b"{}", {})
                digest = image.manifest_digest if parts[-1] == "1" else parts[-1]
                body = blobs.get(digest.removeprefix("sha256:"))
                if body is None:
                    self.send_response(404)
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                headers = {"Docker-Content-Digest": digest}
                if "/manifests/" in self.path:
                    headers["Content-Type"] = "application/vnd.oci.image.manifest.v1+json"
                    return self.give(body, headers)
                begin = 0
                if wanted := self.headers.get("Range"):
                    begin = int(wanted.removeprefix("bytes=").split("-")[0])
                    headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
                if digest == largest:
                    this.ranges.append(begin)
                self.give(body[begin:], headers, status=206 if wanted else 200, held=digest == largest and begin == 0)

            def give(self, body, headers, status=200, held=False):
                self.send_response(status)
                for name, value in {**headers, "Content-Length": len(body)}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                if self.command == "HEAD":
                    return
                try:
                    if held:
                        self.wfile.write(body[:this.half])
                        self.wfile.flush()
                        this.reached.set()
                        this.gate.wait(60)
                        body = body[this.half:]
                    self.wfile.write(body)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.gate.set()
        self.server.shutdown()


@pytest.fixture
def gated(image):
    registry = GatedRegistry(image)
    yield registry
    registry.stop()


@pytest.fixture
def alone():
    """A daemon that may be killed."""
    base = tempfile.mkdtemp(prefix="berth-alone-")
    daemon = Daemon(base).start()
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


def jobs(daemon):
    berth = Plain("berth", daemon)
    return [json.loads(line) for line in berth.out("jobs", "--format", "json").splitlines() if '"pull"' in line]


@pytest.mark.parametrize("name", clients())
def test_a_pull_ends_with_its_last_client_and_the_next_goes_on(name, alone, gated, image):
    reference = f"{gated.host}/sample:1"
    client = Plain(name, alone)
    first, second = (client.start("pull", reference, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2))
    assert gated.reached.wait(20)
    wait_for(lambda: [job["State"] for job in jobs(alone)] == ["running"], "one job for both")
    assert client.out("images", "-aq") == ""
    first.terminate()
    first.wait(20)
    assert [job["State"] for job in jobs(alone)] == ["running"]
    second.terminate()
    second.wait(20)
    wait_for(lambda: [job["State"] for job in jobs(alone)] == ["cancelled"], "the job to end with its last client")
    assert client.out("images", "-aq") == ""
    gated.gate.set()
    assert f"Digest: {image.manifest_digest}" in client.out("pull", reference)
    assert gated.ranges[0] == 0 and all(0 < begin <= gated.half for begin in gated.ranges[1:]) and len(gated.ranges) == 2, gated.ranges


def test_a_pull_goes_on_after_the_daemon_was_killed(alone, gated, image):
    reference = f"{gated.host}/sample:1"
    berth = Plain("berth", alone)
    job = berth.out("pull", "--detach", reference)
    assert gated.reached.wait(20)
    partial = alone.base / "root/content/ingest"
    wait_for(lambda: any(path.stat().st_size > 0 for path in partial.glob("part-*")), "something of what was sent to be there")
    assert job in berth.out("jobs", "ls", "-q").splitlines()
    alone.kill()
    gated.gate.set()
    alone.start()
    assert berth.out("images", "-aq") == ""
    assert f"Digest: {image.manifest_digest}" in berth.out("pull", reference)
    assert gated.ranges[0] == 0 and 0 < gated.ranges[1] <= gated.half and len(gated.ranges) == 2, gated.ranges
    assert berth.out("run", "--rm", "--network", "none", reference, "/usr/bin/busybox", "echo", "whole") == "whole"


def test_a_detached_pull_is_cancelled_by_its_id(alone, gated):
    berth = Plain("berth", alone)
    job = berth.out("pull", "--detach", f"{gated.host}/sample:1")
    assert gated.reached.wait(20)
    follower = berth.start("jobs", "follow", job, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert berth.out("jobs", "cancel", job) == job
    _, errors = follower.communicate(timeout=20)
    assert follower.returncode == 1 and "cancelled" in errors
    assert berth.out("images", "-aq") == ""


class TokenServer:
    """Gives tokens: everybody may pull what is public, and one user everything."""

    def __init__(self, folder):
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key", "-out", folder / "crt", "-days", "2", "-subj", "/CN=tokens")
        der = base64.b64encode(run("openssl", "x509", "-in", folder / "crt", "-outform", "der")).decode()
        self.certificate, self.asked = folder / "crt", []
        this = self

        def part(data):
            return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
                shown = self.headers.get("Authorization", "")
                is_known = shown == "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
                if shown and not is_known:
                    return self.answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who is that?"}]})
                this.asked.append((is_known, query.get("scope", [])))
                access = []
                for scope in query.get("scope", []):
                    kind, name, actions = scope.split(":")
                    granted = [action for action in actions.split(",") if is_known or (action == "pull" and name.startswith("public/"))]
                    access.append({"type": kind, "name": name, "actions": granted})
                now = int(time.time())
                claims = {"iss": "tokens", "sub": "me" if is_known else "", "aud": query["service"][0], "exp": now + 60, "nbf": now - 10, "iat": now, "jti": str(len(this.asked)), "access": access}
                signed = part({"typ": "JWT", "alg": "RS256", "x5c": [der]}) + "." + part(claims)
                signature = run("openssl", "dgst", "-sha256", "-sign", folder / "key", input=signed.encode())
                self.answer(200, {"token": signed + "." + part(signature), "expires_in": 60})

            def answer(self, status, body):
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.realm = f"http://127.0.0.1:{self.server.server_address[1]}/token"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def test_tokens(daemon, registry, image, tmp_path):
    tokens = TokenServer(tmp_path)
    private = Registry(tmp_path, auth={"token": {"realm": tokens.realm, "service": "registry", "issuer": "tokens", "rootcertbundle": str(tokens.certificate)}})
    berth = Plain("berth", daemon)
    try:
        berth("pull", f"{registry.host}/library/sample:1")
        for name in ("public/sample:1", "closed/sample:1"):
            berth("tag", f"{registry.host}/library/sample:1", f"{private.host}/{name}")
        assert f"berth login {private.host}" in berth("push", f"{private.host}/public/sample:1", status=1).stderr
        assert "who is that?" in log_in(berth, private.host, "wrong", status=1).stderr
        log_in(berth, private.host)
        for name in ("public/sample:1", "closed/sample:1"):
            assert berth.out("push", f"{private.host}/{name}").splitlines()[-1].startswith(f"1: digest: {image.manifest_digest}")
        berth("logout", private.host)
        berth("pull", f"{private.host}/public/sample:1")
        # Whoever may not see it is not told so by what is here, nor by what another's token has shown.
        assert "pull access denied" in berth("pull", f"{private.host}/closed/sample:1", status=1).stderr
        log_in(berth, private.host)
        berth("pull", f"{private.host}/closed/sample:1")
        berth("logout", private.host)
    finally:
        private.stop()
        tokens.server.shutdown()
        berth("rmi", "-f", image.id, status=None)
