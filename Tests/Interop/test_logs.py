"""Logs that go to other programs: Debian's docker on Debian's dockerd and berth on berthd side by side, and what receivers hear of both."""
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import pytest

from conftest import BIN, Client, Daemon, wait_for
from test_confinement import Docker
from test_life import Side

NONE = ("--network", "none")
SCRIPT = "echo one; echo two >&2; echo; head -c 20000 /dev/zero | tr '\\0' x; echo; printf last"
SECONDS = 20


@pytest.fixture(scope="module")
def sides(busybox_tar):
    bases = [tempfile.mkdtemp(prefix="logs-") for _ in range(2)]
    docker = Docker(bases[0])
    daemon = Daemon(bases[1]).start()
    found = [Side("dockerd", "/usr/bin/docker", docker.socket), Side("berthd", BIN / "berth", daemon.socket)]
    for side in found:
        side.out("import", busybox_tar, "box:latest")
    yield found
    docker.stop()
    daemon.stop()
    for base in bases:
        shutil.rmtree(base)


@pytest.fixture
def ours(sides):
    return sides[1]


def run(side, driver, *options, script=SCRIPT, name="logged", more=()):
    words = [word for option in options for word in ("--log-opt", option)]
    done = side("run", "--name", name, *NONE, "--log-driver", driver, *words, *more, "box", "sh", "-c", script)
    side("rm", "-f", name)
    return done


class Stream:
    """Listens for connections and keeps what comes, connection by connection."""

    def __init__(self, address, family=socket.AF_INET, reads=True):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(address)
        self.socket.listen()
        self.address = self.socket.getsockname()
        self.connections, self.heard, self.ended = [], [], 0
        self.may_read = threading.Event()
        if reads:
            self.may_read.set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.connections.append(connection)
            self.heard.append(bytearray())
            threading.Thread(target=self.read, args=(connection, self.heard[-1]), daemon=True).start()

    def read(self, connection, heard):
        self.may_read.wait()
        try:
            while piece := connection.recv(1 << 20):
                heard += piece
        except OSError:
            pass
        self.ended += 1

    def whole(self):
        """What came on the one connection, once it has ended."""
        wait_for(lambda: self.ended, "the end of the connection", SECONDS)
        (heard,) = self.heard
        return bytes(heard)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # its other side has gone before
            connection.close()


def stream(path=None):
    return Stream(str(path), socket.AF_UNIX) if path else Stream(("127.0.0.1", 0))


def datagrams(path=None):
    receiver = socket.socket(socket.AF_UNIX if path else socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind(str(path) if path else ("127.0.0.1", 0))
    receiver.settimeout(SECONDS)
    return receiver


# syslog

TIMES = {"": r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", "rfc3164": r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d", "rfc5424": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)",
         "rfc5424micro": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)"}


def without_times(line, format):
    """A line, but for when it was said and by which process."""
    text, count = re.subn(rf"^(<\d+>(?:1 )?){TIMES[format]} ", r"\1TIME ", line.decode())
    assert count == 1, line[:80]
    return re.sub(r"\[\d+\]: |(?<=logged) \d+ ", " PID ", text, count=1)


@pytest.mark.parametrize("format", TIMES)
@pytest.mark.parametrize("kind", ["tcp", "udp", "unix", "unixgram"])
def test_syslog(sides, tmp_path, kind, format):
    said = []
    for side in sides:
        path = tmp_path / f"{side.name}.sock" if kind.startswith("unix") else None
        receiver = stream(path) if kind in ("tcp", "unix") else datagrams(path)
        address = f"{kind}://{path}" if path else f"{kind}://127.0.0.1:{(receiver.address if kind == 'tcp' else receiver.getsockname())[1]}"
        status, _, errors = run(side, "syslog", f"syslog-address={address}", f"syslog-format={format}", "syslog-facility=local3", "tag=a {{.ImageName}}/{{.Name}}")
        assert status == 0, errors
        lines = receiver.whole().splitlines(keepends=True) if kind in ("tcp", "unix") else [receiver.recv(1 << 17) for _ in range(5)]
        receiver.close()
        # Which of the two streams is read first is chance.
        said.append(sorted(without_times(line, format) for line in lines))
    assert said[0] == said[1]
    assert len(said[0]) == 5 and all(line.endswith("\n") for line in said[0])


def test_syslog_of_the_host_has_the_containers_id(ours, tmp_path):
    receiver = datagrams(tmp_path / "log")
    id = ours.out("run", "-d", "--name", "tagged", *NONE, "--log-driver", "syslog", "--log-opt", f"syslog-address=unixgram://{tmp_path}/log", "box", "echo", "hi")
    line = receiver.recv(1000).decode()
    assert re.fullmatch(rf"<30>{TIMES['']} {id[:12]}\[\d+\]: hi\n", line)
    ours("rm", "-f", "tagged")


# What cannot be: (driver, options), in the same words at both.
REFUSED = [
    ("syslog", "wrong=1"), ("journald", "wrong=1"), ("fluentd", "wrong=1"), ("syslog", "syslog-address=foo"), ("syslog", "syslog-address=http://x"),
    ("syslog", "syslog-address=udp://127.0.0.1:1:2"), ("syslog", "syslog-facility=x"), ("syslog", "syslog-facility=24"), ("syslog", "syslog-format=x"),
    ("syslog", "cache-disabled=x"), ("syslog", "max-size=1m"), ("syslog", "mode=bad"), ("syslog", "max-buffer-size=1m"), ("syslog", "mode=non-blocking max-buffer-size=zz"),
    ("fluentd", "fluentd-async=x"), ("fluentd", "fluentd-async=true fluentd-async-connect=true"), ("fluentd", "fluentd-buffer-limit=x"), ("fluentd", "fluentd-retry-wait=x"),
    ("fluentd", "fluentd-max-retries=x"), ("fluentd", "fluentd-max-retries=-1"), ("fluentd", "fluentd-sub-second-precision=x"), ("json-file", "cache-foo=1"),
    ("json-file", "labels-regex=("), ("local", "labels=x"), ("local", "max-file=1"), ("json-file", "compress=x"), ("json-file", "compress=true max-file=1"),
]


@pytest.mark.parametrize("driver, options", REFUSED)
def test_options_that_cannot_be(sides, driver, options):
    words = []
    for side in sides:
        status, _, errors = run(side, driver, *options.split(), name="refused")
        assert status == 125, errors
        said = re.search(r"Error response from daemon: (?:failed to initialize logging driver: )?(.*)", errors).group(1)
        words.append(said.rstrip(".'"))
    assert words[1].startswith(words[0].split(": missing closing")[0]), words


@pytest.mark.parametrize("driver, option, words", [
    ("syslog", "syslog-address=tcp://127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
    ("fluentd", "fluentd-address=127.0.0.1:1", "dial tcp 127.0.0.1:1: connect: connection refused"),
    ("journald", "tag=x", "journald is not enabled on this host"),
])
def test_a_receiver_that_is_not_there_at_the_start(sides, driver, option, words):
    for side in sides:
        status, _, errors = run(side, driver, option, name="alone")
        assert status == 125 and f"failed to initialize logging driver: {words}" in errors.replace("Connection", "connection"), errors


@pytest.mark.parametrize("driver", ["gelf", "awslogs", "splunk", "gcplogs", "etwlogs", "logentries"])
def test_drivers_that_are_not_there(ours, driver):
    status, _, errors = run(ours, driver)
    assert status == 125 and f"logger: no log driver named '{driver}' is registered" in errors


def test_completion_of_drivers(ours):
    environment = {"PATH": "/usr/bin:/bin", "DOCKER_HOST": f"unix://{ours.socket}"}
    done = subprocess.run([BIN / "berth", "__complete", "run", "--log-driver", "j"], env=environment, capture_output=True, text=True, timeout=20)
    assert (done.stdout.split(), done.stderr) == (["journald", "json-file"], "")


# TLS

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Those of an authority, of a server at this address by that, of a client by that, and of a server by nobody."""
    folder = tmp_path_factory.mktemp("tls")
    script = """
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 2 -subj '/CN=test authority' -addext basicConstraints=critical,CA:TRUE
        for name in server client; do
            openssl req -newkey rsa:2048 -nodes -keyout $name.key -out $name.csr -subj /CN=$name
            openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out $name.crt -days 2 -extfile <(echo subjectAltName=IP:127.0.0.1,DNS:localhost)
        done
        openssl req -x509 -newkey rsa:2048 -nodes -keyout nobody.key -out nobody.crt -days 2 -subj '/CN=nobody' -addext subjectAltName=IP:127.0.0.1
        """
    subprocess.run(["bash", "-euc", script], cwd=folder, check=True, capture_output=True)
    return folder


class Secured(Stream):
    """Listens for connections by TLS."""

    def __init__(self, certificates, name="server", asks=False, port=0):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificates / f"{name}.crt", certificates / f"{name}.key")
        if asks:
            self.context.load_verify_locations(certificates / "ca.crt")
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(("127.0.0.1", port))

    def read(self, connection, heard):
        try:
            secured = self.context.wrap_socket(connection, server_side=True)
        except OSError:  # the other side does not trust this one, or is not trusted
            self.heard.remove(heard)
            return
        self.connections.append(secured)
        super().read(secured, heard)


def test_syslog_by_tls(sides, certificates):
    """With the authority named, by address and by name; without looking; with a certificate of one's own."""
    known = f"syslog-tls-ca-cert={certificates}/ca.crt"
    own = [f"syslog-tls-cert={certificates}/client.crt", f"syslog-tls-key={certificates}/client.key"]
    for name, options, asks in [("127.0.0.1", [known], False), ("localhost", [known], False), ("127.0.0.1", ["syslog-tls-skip-verify=true"], False), ("127.0.0.1", [known, *own], True)]:
        said = []
        for side in sides:
            receiver = Secured(certificates, asks=asks)
            status, _, errors = run(side, "syslog", f"syslog-address=tcp+tls://{name}:{receiver.address[1]}", *options, "tag=logged")
            assert status == 0, (side.name, errors)
            lines = receiver.whole().splitlines(keepends=True)
            receiver.close()
            said.append(sorted(without_times(line, "") for line in lines))
        assert said[0] == said[1] and len(said[0]) == 5


def test_who_is_not_trusted_is_told_nothing(sides, certificates):
    wrong = [
        ([f"syslog-tls-ca-cert={certificates}/ca.crt"], "nobody", False), ([], "server", False), ([f"syslog-tls-ca-cert={certificates}/nothing"], "server", False),
        ([f"syslog-tls-ca-cert={certificates}/ca.crt", "syslog-tls-cert=/no/cert", "syslog-tls-key=/no/key"], "server", True),
    ]
    for options, name, asks in wrong:
        for side in sides:
            receiver = Secured(certificates, name, asks)
            status, _, errors = run(side, "syslog", f"syslog-address=tcp+tls://127.0.0.1:{receiver.address[1]}", *options)
            # Debian's client takes a file that is missing for the command.
            assert status in (125, 127) and "failed to initialize logging driver" in errors, (side.name, options, status, errors)
            assert not any(receiver.heard)
            receiver.close()
    # And why.
    ours = sides[1]
    receiver = Secured(certificates, "nobody")
    address = f"syslog-address=tcp+tls://127.0.0.1:{receiver.address[1]}"
    assert "CERTIFICATE_VERIFY_FAILED" in run(ours, "syslog", address)[2]
    assert f'could not read CA certificate "{certificates}/nothing"' in run(ours, "syslog", address, f"syslog-tls-ca-cert={certificates}/nothing")[2]
    receiver.close()
    assert "connection refused" in run(ours, "syslog", address)[2].lower()


def test_a_receiver_by_tls_that_comes_and_goes(ours, certificates):
    """It is connected to again, and what is said meanwhile waits; nothing of what spoke with it is left."""
    receiver = Secured(certificates)
    port = receiver.address[1]
    container = subprocess.Popen(
        [ours.program, "-H", f"unix://{ours.socket}", "run", "-i", "--name", "fed", *NONE, "--log-driver", "syslog", "--log-opt", f"syslog-address=tcp+tls://127.0.0.1:{port}",
         "--log-opt", f"syslog-tls-ca-cert={certificates}/ca.crt", "box", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(text):
        container.stdin.write(text + "\n")
        container.stdin.flush()
        assert container.stdout.readline() == text + "\n"

    say("one")
    wait_for(lambda: lines(receiver) == ["one"], "the first", SECONDS)
    receiver.close()
    relays = lambda: subprocess.run(["pgrep", "-fc", "^berth-log-relay"], capture_output=True, text=True).stdout.strip()
    wait_for(lambda: relays() == "0", "what spoke with it to end", SECONDS)
    say("two")
    receiver = Secured(certificates, port=port)
    wait_for(lambda: "two" in lines(receiver), "what was said meanwhile", SECONDS)
    say("three")
    container.stdin.close()
    assert container.wait(SECONDS) == 0
    wait_for(lambda: lines(receiver) == ["two", "three"], "the rest", SECONDS)
    receiver.close()
    ours("rm", "-f", "fed")
    wait_for(lambda: relays() == "0", "what spoke with it to end", SECONDS)


def test_fluentd_by_tls(ours, certificates):
    """Debian's dockerd does not have it. The host's authorities are those of the daemon; who is not theirs is not trusted."""
    receiver = Secured(certificates)
    status, _, errors = run(ours, "fluentd", f"fluentd-address=tls://127.0.0.1:{receiver.address[1]}")
    assert status == 125 and "CERTIFICATE_VERIFY_FAILED" in errors and not any(receiver.heard)
    receiver.close()


# A receiver that comes and goes.

def lines(receiver):
    return [line.split(b"]: ")[1].decode() for heard in receiver.heard for line in bytes(heard).splitlines()]


@pytest.fixture
def fed(ours):
    """A container that says what it is told, to a syslog."""
    receiver = Stream(("127.0.0.1", 0))
    container = subprocess.Popen(
        [ours.program, "-H", f"unix://{ours.socket}", "run", "-i", "--name", "fed", *NONE, "--log-driver", "syslog", "--log-opt",
         f"syslog-address=tcp://127.0.0.1:{receiver.address[1]}", "box", "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def say(text):
        print(text, file=container.stdin, flush=True)
        assert container.stdout.readline() == text + "\n"
    yield receiver, say
    container.stdin.close()
    assert container.wait(20) == 0
    container.stdout.close()
    ours("rm", "-f", "fed")


def test_a_receiver_that_comes_back_hears_what_was_said_meanwhile(ours, fed):
    receiver, say = fed
    say("first")
    wait_for(lambda: lines(receiver) == ["first"], "the first line", SECONDS)
    receiver.close()
    for number in range(10):
        say(f"alone {number}")
    again = Stream(receiver.address)
    say("again")
    wait_for(lambda: lines(again)[-1:] == ["again"], "the last line", SECONDS)
    assert lines(again) == [f"alone {number}" for number in range(10)] + ["again"]
    # What is kept beside knows all of it.
    assert ours.out("logs", "fed").split("\n") == ["first"] + lines(again)
    again.close()


def test_without_its_daemon_a_container_is_heard(busybox_tar, tmp_path):
    daemon = Daemon(tempfile.mkdtemp(prefix="logs-")).start()
    side = Side("berthd", BIN / "berth", daemon.socket)
    side.out("import", busybox_tar, "box:latest")
    receiver = Stream(("127.0.0.1", 0))
    (tmp_path / "orders").touch()
    side.out(
        "run", "-d", "--name", "on", *NONE, "-v", f"{tmp_path}:/orders", "--log-driver", "syslog", "--log-opt", f"syslog-address=tcp://127.0.0.1:{receiver.address[1]}", "box",
        "tail", "-f", "/orders/orders")
    with open(tmp_path / "orders", "a") as orders:
        for number, change in enumerate([lambda: None, daemon.kill, daemon.start]):
            change()
            print(number, file=orders, flush=True)
            wait_for(lambda: lines(receiver) == [str(each) for each in range(number + 1)], f"line {number}", SECONDS)
    assert side.out("logs", "on").split() == ["0", "1", "2"]
    side.out("rm", "-f", "on")
    daemon.stop()
    receiver.close()
    shutil.rmtree(daemon.base)


COUNT = 300_000


def test_a_container_waits_for_a_receiver_that_does_not_read(ours):
    receiver = Stream(("127.0.0.1", 0), reads=False)
    ours.out("run", "-d", "--name", "much", *NONE, "--log-driver", "syslog", "--log-opt", f"syslog-address=tcp://127.0.0.1:{receiver.address[1]}", "box", "seq", COUNT)
    receiver.may_read.set()
    ours.out("wait", "much")
    receiver.whole()
    assert lines(receiver) == [str(number) for number in range(1, COUNT + 1)]
    ours.out("rm", "much")
    receiver.close()


def test_what_is_not_waited_for_is_counted_and_said(ours):
    receiver = Stream(("127.0.0.1", 0), reads=False)
    ours.out(
        "run", "-d", "--name", "lossy", *NONE, "--log-driver", "syslog", "--log-opt", f"syslog-address=tcp://127.0.0.1:{receiver.address[1]}", "--log-opt", "mode=non-blocking",
        "--log-opt", "max-buffer-size=64k", "box", "seq", COUNT)
    # It ends, though nobody reads.
    assert ours.out("wait", "lossy") == "0"
    receiver.may_read.set()
    receiver.whole()
    heard = lines(receiver)
    notices = [line for line in heard if line.startswith("[berth: ")]
    missing = sum(int(re.search(r"bytes in (\d+) log entries are missing here", line).group(1)) for line in notices)
    assert missing > 0 and len(heard) - len(notices) + missing == COUNT
    assert ours.out("logs", "-n", "1", "lossy") == str(COUNT)
    ours.out("rm", "lossy")
    receiver.close()


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_file_that_is_not_waited_for_has_all_that_there_was_room_for(sides, driver):
    for side in sides:
        side.out("run", "-d", "--name", "unawaited", *NONE, "--log-driver", driver, "--log-opt", "mode=non-blocking", "--log-opt", "max-buffer-size=64m", "box", "seq", COUNT)
        side.out("wait", "unawaited")
        assert side.out("logs", "unawaited").splitlines() == [str(number) for number in range(1, COUNT + 1)], side
        side.out("rm", "unawaited")


def test_what_is_kept_beside_a_receiver(ours, tmp_path):
    receiver = datagrams(tmp_path / "log")
    address = f"syslog-address=unixgram://{tmp_path}/log"
    ours.out("run", "--name", "kept", *NONE, "--log-driver", "syslog", "--log-opt", address, "box", "echo", "kept")
    assert ours.out("logs", "kept") == "kept" and ours.inspect("kept", "{{.LogPath}}") == ""
    ours.out("rm", "kept")
    ours.out("run", "--name", "kept", *NONE, "--log-driver", "syslog", "--log-opt", address, "--log-opt", "cache-disabled=true", "box", "echo", "gone")
    status, _, errors = ours("logs", "kept")
    assert status == 1 and "configured logging driver does not support reading" in errors
    ours.out("rm", "kept")
    receiver.close()


# journald

@pytest.fixture
def journal():
    """The journal's socket, where these namespaces alone see it."""
    subprocess.run(["mount", "-t", "tmpfs", "run", "/run"], check=True)
    os.makedirs("/run/systemd/journal")
    receiver = datagrams("/run/systemd/journal/socket")
    yield receiver
    receiver.close()
    subprocess.run(["umount", "/run"], check=True)


def fields(record):
    """A record of the native protocol."""
    found = {}
    while record:
        end = record.index(b"\n")
        if b"=" in record[:end]:
            (name, value), record = record[:end].split(b"=", 1), record[end + 1:]
        else:
            name, (size,) = record[:end], struct.unpack_from("<Q", record, end + 1)
            value, record = record[end + 9:end + 9 + size], record[end + 10 + size:]
            assert b"\n" in value
        assert name not in found
        found[name.decode()] = value.decode()
    return found


def test_journald(sides, journal):
    said = []
    for side in sides:
        more = ["-l", "a_b=several\nlines", "-l", "_-c.d=2", "-l", "other=3", "-e", "E=4", "-e", "F=5"]
        status, _, errors = run(side, "journald", "labels=a_b,_-c.d", "env-regex=^E", "tag=T/{{.Name}}", more=more)
        assert status == 0, errors
        records = [fields(journal.recv(1 << 17)) for _ in range(6)]
        for record in records:
            assert len(record.pop("CONTAINER_PARTIAL_ID", "x" * 64)) == 64
            id = record.pop("CONTAINER_ID_FULL")
            assert len(id) == 64 and record.pop("CONTAINER_ID") == id[:12]
        said.append(sorted(records, key=lambda record: record["MESSAGE"]))
    assert said[0] == said[1]
    assert {"A_B": "several\nlines", "C_D": "2", "E": "4", "CONTAINER_TAG": "T/logged", "SYSLOG_IDENTIFIER": "T/logged", "MESSAGE": "one", "PRIORITY": "6"}.items() <= said[1][2].items()
    assert [record.get("CONTAINER_PARTIAL_MESSAGE") for record in said[1]].count("true") == 2


# fluentd

class Unpacker:
    """As much of MessagePack as the forward protocol has."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        assert len(piece) == count
        self.at += count
        return piece

    def number(self, format):
        return struct.unpack(">" + format, self.take(struct.calcsize(format)))[0]

    def value(self):
        kind = self.take(1)[0]
        if kind < 0x80:
            return kind
        if kind < 0x90:
            return dict((self.value(), self.value()) for _ in range(kind & 15))
        if kind < 0xa0:
            return [self.value() for _ in range(kind & 15)]
        if kind < 0xc0:
            return self.take(kind & 31).decode()
        if kind == 0xd7:
            assert self.take(1) == b"\0"
            return ("event time", self.number("I") + self.number("I") / 1e9)
        if kind in (0xd9, 0xda, 0xdb):
            return self.take(self.number({0xd9: "B", 0xda: "H", 0xdb: "I"}[kind])).decode()
        if kind in (0xde, 0xdf):
            return dict((self.value(), self.value()) for _ in range(self.number("H" if kind == 0xde else "I")))
        return self.number({0xcc: "B", 0xcd: "H", 0xce: "I", 0xcf: "Q", 0xd0: "b", 0xd1: "h", 0xd2: "i", 0xd3: "q"}[kind])

    def all(self):
        found = []
        while self.at < len(self.data):
            found.append(self.value())
        return found


@pytest.mark.parametrize("options", [(), ("fluentd-sub-second-precision=true", "tag=docker.{{.Name}}", "labels=a,missing", "env=E"), ("fluentd-async=true",)])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_fluentd(sides, tmp_path, kind, options):
    said = []
    for side in sides:
        path = tmp_path / f"{side.name}.sock" if kind == "unix" else None
        receiver = stream(path)
        address = f"unix://{path}" if path else f"127.0.0.1:{receiver.address[1]}"
        status, _, errors = run(side, "fluentd", f"fluentd-address={address}", *options, more=["-l", "a=1", "-e", "E=2"])
        assert status == 0, errors
        messages = Unpacker(receiver.whole()).all()
        receiver.close()
        lines, pieces = {}, set()
        for tag, time, record, option in messages:
            id = record.pop("container_id")
            assert option == {} and len(id) == 64 and isinstance(time, tuple) == bool(options and "sub-second" in options[0])
            if "partial_id" in record:
                pieces.add(record.pop("partial_id"))
            lines[record["log"]] = (tag.replace(id[:12], "ID"), record)
        assert all(len(each) == 64 for each in pieces)
        said.append(lines)
    # A long line, and one without an end.
    assert len(pieces) == 2
    # When a container ends, dockerd may lose what it sends asynchronously.
    assert said[0] == said[1] or "fluentd-async=true" in options and said[0].items() <= said[1].items()
    assert set(said[1]) == {"one", "two", "", "x" * 16384, "x" * 3616, "last"}


def test_fluentd_that_comes_later(ours):
    receiver = Stream(("127.0.0.1", 0))
    address = receiver.address
    receiver.close()
    ours.out(
        "run", "-d", "--name", "early", *NONE, "--log-driver", "fluentd", "--log-opt", f"fluentd-address=127.0.0.1:{address[1]}", "--log-opt", "fluentd-async=true", "--log-opt",
        "fluentd-retry-wait=50ms", "box", "seq", "3")
    receiver = Stream(address)
    assert [record["log"] for _, _, record, _ in Unpacker(receiver.whole()).all()] == ["1", "2", "3"]
    ours.out("rm", "-f", "early")
    receiver.close()


class Acknowledging:
    """Takes messages that ask for answers, and answers as it is told to, message by message: well, wrongly, or by hanging up. Listens until it is closed."""

    def __init__(self, *deeds):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.deeds, self.messages = list(deeds), []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            with connection:
                self.talk(connection)

    def talk(self, connection):
        data = b""
        while piece := connection.recv(1 << 16):
            data += piece
            try:
                messages = Unpacker(data).all()
            except AssertionError:
                continue
            # One at a time: the next waits for its answer.
            (message,) = messages
            data = b""
            chunk = message[3]["chunk"].encode()
            self.messages.append((message[2]["log"], chunk))
            deed = self.deeds.pop(0) if self.deeds else "well"
            if deed == "hang up":
                return
            answer = b"\x81\xa3ack" + (bytes([0xa0 | len(chunk)]) if len(chunk) < 32 else bytes([0xd9, len(chunk)])) + chunk
            if deed == "wrongly":
                answer = b"\x81\xa3ack\xa1x"
            # In two pieces, as it may come.
            connection.sendall(answer[:3])
            connection.sendall(answer[3:])


def test_fluentd_that_answers(sides):
    said = []
    for side in sides:
        receiver = Acknowledging()
        status, _, errors = run(side, "fluentd", f"fluentd-address=127.0.0.1:{receiver.socket.getsockname()[1]}", "fluentd-request-ack=true", script="seq 4")
        assert status == 0, errors
        wait_for(lambda: len(receiver.messages) == 4, "all to be told", SECONDS)
        receiver.socket.close()
        chunks = [chunk for _, chunk in receiver.messages]
        assert len(set(chunks)) == 4 and all(len(chunk) >= 16 for chunk in chunks)
        said.append([line for line, _ in receiver.messages])
    assert said[0] == said[1] == ["1", "2", "3", "4"]


def test_fluentd_that_does_not_answer_is_told_again(ours):
    receiver = Acknowledging("well", "hang up", "well", "wrongly", "well")
    status, _, errors = run(
        ours, "fluentd", f"fluentd-address=127.0.0.1:{receiver.socket.getsockname()[1]}", "fluentd-request-ack=true", "fluentd-retry-wait=20ms", script="seq 4")
    assert status == 0, errors
    wait_for(lambda: len(receiver.messages) == 6, "all to be told", SECONDS)
    receiver.socket.close()
    assert [line for line, _ in receiver.messages] == ["1", "2", "2", "3", "3", "4"]
    # What is told again is called as before.
    assert receiver.messages[1][1] == receiver.messages[2][1] and receiver.messages[3][1] == receiver.messages[4][1]
