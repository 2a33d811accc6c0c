"""Clients of the Engine API that do anything at any time, and remember what they were told. Nothing here knows berth."""
import collections
import http.client
import io
import json
import random
import socket
import tarfile
import threading
import time

NAMES = [f"storm{number}" for number in range(50)]
NETWORKS = [f"gale{number}" for number in range(4)]
VOLUMES = [f"tide{number}" for number in range(8)]
COMMANDS = [
    ["sleep", "1000"],
    ["true"],
    ["false"],
    ["sh", "-c", "trap 'exit 3' TERM; while :; do echo tick; sleep 0.1; done"],
    ["sh", "-c", "echo $$; sleep 0.3; exit 7"],
    ["cat"],
    ["no-such-command"],
]
# Those that go on until they are told to end.
LASTING = [COMMANDS[0], COMMANDS[3]]
# Nothing that is asked for here takes as long: who is not answered by then never is.
PATIENCE = 60


class Connection(http.client.HTTPConnection):
    """One request over a Unix socket."""

    def __init__(self, path, timeout=PATIENCE):
        super().__init__("storm", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def ask(path, method, target, body=None, kind="application/json"):
    """A request to its end: its status, and what the body says."""
    connection = Connection(path)
    try:
        data = body if isinstance(body, bytes) or body is None else json.dumps(body)
        connection.request(method, target, data, {"Content-Type": kind} if data is not None else {})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if not content or answer.getheader("Content-Type") != "application/json":
        return answer.status, content
    return answer.status, json.loads(content)


def peek(path, method, target, seconds, body=None, upgrade=False, say=b""):
    """The beginning of an answer that may not end: its status, and what came in that time. Then the client vanishes."""
    connection = Connection(path)
    try:
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {}
        data = None if body is None else json.dumps(body)
        connection.request(method, target, data, headers | ({"Content-Type": "application/json"} if data else {}))
        wire = connection.sock
        # An answer that waits for its first byte waits in its head.
        wire.settimeout(seconds)
        try:
            answer = connection.getresponse()
        except TimeoutError:
            return None, b""
        if answer.status >= 400:
            wire.settimeout(PATIENCE)
            return answer.status, json.loads(answer.read())
        content = b""
        try:
            if answer.status == 101:
                if say:
                    wire.sendall(say)
                content = wire.recv(1 << 16)
            else:
                content = answer.read1(1 << 16)
        except TimeoutError:
            pass
        except ConnectionError:
            # Whoever says something to a container that has just ended is not heard.
            if answer.status != 101:
                raise
        return answer.status, content
    finally:
        connection.close()


class Storm:
    """What all clients share: where the daemon is, since when it has been killed how often, and what was answered."""

    def __init__(self, path, seed):
        self.path, self.seed = path, seed
        self.kills = 0
        self.is_away = False
        self.is_over = threading.Event()
        self.lock = threading.Lock()
        self.answers = collections.Counter()
        self.faults = []
        # What each client is at, for the one that does not come back.
        self.doing = {}

    def fault(self, what):
        with self.lock:
            self.faults.append(what)

    def count(self, operation, status):
        with self.lock:
            self.answers[operation, status] += 1


class Sailor:
    """One client, whose deeds follow from its number and the seed."""

    def __init__(self, storm, number):
        self.name = f"sailor {number}"
        self.storm, self.random = storm, random.Random(f"{storm.seed} {number}")
        self.operations = [(getattr(self, name), weight) for name, weight in WEIGHTS.items()]

    def sail(self):
        deeds, weights = zip(*self.operations)
        while not self.storm.is_over.is_set():
            deed = self.random.choices(deeds, weights)[0]
            name, kills, was_away, began = deed.__name__, self.storm.kills, self.storm.is_away, time.monotonic()
            self.storm.doing[self.name] = name
            try:
                deed()
            except TimeoutError:
                self.storm.fault(f"{name} was not answered in {PATIENCE} s")
            except (ConnectionError, FileNotFoundError, http.client.HTTPException) as error:
                # An archive on its way can say only by breaking off that its container was removed.
                if name == "copy_out" and isinstance(error, http.client.IncompleteRead):
                    continue
                # While nobody is there nobody answers; otherwise somebody must.
                if kills == self.storm.kills and not was_away and not self.storm.is_away:
                    self.storm.fault(f"{name}, after {time.monotonic() - began:.2f} s: the connection broke and the daemon lives: {error!r}")
                self.storm.count(name, "away")
                time.sleep(self.random.uniform(0, 0.1))
            except Exception as error:
                self.storm.fault(f"{name}: {error!r}")
        self.storm.doing.pop(self.name, None)

    # What may be answered, and what was.

    def expect(self, operation, answer, *allowed):
        status, content = answer
        self.storm.count(operation, status)
        if status not in allowed:
            self.storm.fault(f"{operation}: {status} {content if isinstance(content, dict) else content[:200]}")
        return content if status is not None and status < 300 else None

    def ask(self, operation, method, target, *allowed, body=None, kind="application/json"):
        return self.expect(operation, ask(self.storm.path, method, target, body, kind), *allowed)

    def peek(self, operation, method, target, *allowed, **more):
        return self.expect(operation, peek(self.storm.path, method, target, self.random.uniform(0.05, 0.4), **more), None, *allowed)

    @property
    def somebody(self):
        return self.random.choice(NAMES)

    # The deeds.

    def configuration(self, removed=False):
        pick, host = self.random, {}
        host["NetworkMode"] = pick.choice(["none", "none", "bridge", "host", *NETWORKS, f"container:{self.somebody}"])
        if removed:
            host["AutoRemove"] = True
        else:
            host["RestartPolicy"] = pick.choice(
                [{"Name": "no"}] * 4 + [{"Name": "always"}, {"Name": "unless-stopped"}, {"Name": "on-failure", "MaximumRetryCount": 2}])
        if pick.random() < 0.4:
            host["Binds"] = [f"{pick.choice(VOLUMES)}:/tide"]
        if pick.random() < 0.2:
            host["Init"] = True
        configuration = {
            "Image": "box", "Cmd": pick.choice(COMMANDS), "OpenStdin": pick.random() < 0.3, "Tty": pick.random() < 0.2, "HostConfig": host,
        }
        if pick.random() < 0.2:
            configuration["Volumes"] = {"/anonymous": {}}
        if pick.random() < 0.2:
            configuration["Healthcheck"] = {"Test": ["CMD", "true"], "Interval": 1_000_000_000}
        if host["NetworkMode"] in ["bridge", *NETWORKS] and pick.random() < 0.5:
            configuration["ExposedPorts"] = {"80/tcp": {}}
            host["PortBindings"] = {"80/tcp": [{"HostPort": ""}]}
        return configuration

    def create(self):
        # 400: a container whose sandbox is to be shared and is not there.
        self.ask("create", "POST", f"/containers/create?name={self.somebody}", 201, 400, 404, 409, body=self.configuration())

    def start(self):
        # 400: the command is not there.
        self.ask("start", "POST", f"/containers/{self.somebody}/start", 204, 304, 400, 404, 409)

    def stop(self):
        self.ask("stop", "POST", f"/containers/{self.somebody}/stop?t={self.random.choice([0, 0, 1])}", 204, 304, 404, 409)

    def kill(self):
        signal = self.random.choice(["KILL", "TERM", "USR1"])
        self.ask("kill", "POST", f"/containers/{self.somebody}/kill?signal={signal}", 204, 404, 409)

    def restart(self):
        self.ask("restart", "POST", f"/containers/{self.somebody}/restart?t=0", 204, 400, 404, 409)

    def rename(self):
        # 400: to its own name.
        self.ask("rename", "POST", f"/containers/{self.somebody}/rename?name={self.somebody}", 204, 400, 404, 409)

    def pause(self):
        self.ask("pause", "POST", f"/containers/{self.somebody}/pause", 204, 404, 409)

    def unpause(self):
        self.ask("unpause", "POST", f"/containers/{self.somebody}/unpause", 204, 404, 409)

    def execute(self):
        made = self.ask("exec", "POST", f"/containers/{self.somebody}/exec", 201, 404, 409, body={"Cmd": ["echo", "hi"], "AttachStdout": True})
        if made:
            self.peek("exec start", "POST", f"/exec/{made['Id']}/start", 200, 101, 404, 409, body={"Detach": False}, upgrade=True)

    def logs(self):
        target = f"/containers/{self.somebody}/logs?stdout=1&stderr=1&tail=5"
        if self.random.random() < 0.5:
            self.peek("logs -f", "GET", target + "&follow=1", 200, 404, 409)
        else:
            said = self.ask("logs", "GET", target, 200, 404, 409)
            # What goes wrong after the answer has begun is told in it.
            if said and b"Error grabbing logs" in said:
                self.storm.fault(f"logs: {said[:200]}")

    def attach(self):
        target = f"/containers/{self.somebody}/attach?stream=1&stdin=1&stdout=1&stderr=1"
        self.peek("attach", "POST", target, 101, 404, 409, upgrade=True, say=b"hello\n")

    def inspect(self):
        self.ask("inspect", "GET", f"/containers/{self.somebody}/json", 200, 404)

    def list(self):
        self.ask("ps", "GET", "/containers/json?all=1", 200)

    def copy_in(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo("given")
            entry.size = 5
            archive.addfile(entry, io.BytesIO(b"given"))
        self.ask("cp in", "PUT", f"/containers/{self.somebody}/archive?path=/tmp", 200, 404, 409, body=buffer.getvalue(), kind="application/x-tar")

    def copy_out(self):
        self.ask("cp out", "GET", f"/containers/{self.somebody}/archive?path=/etc", 200, 404, 409)

    def update(self):
        body = self.random.choice([{"RestartPolicy": {"Name": "no"}}, {"RestartPolicy": {"Name": "always"}}, {"CpuShares": 512}])
        # 400: a policy for one that removes itself.
        self.ask("update", "POST", f"/containers/{self.somebody}/update", 200, 400, 404, 409, body=body)

    def wait(self):
        condition = self.random.choice(["not-running", "next-exit", "removed"])
        self.peek("wait", "POST", f"/containers/{self.somebody}/wait?condition={condition}", 200, 404)

    def top(self):
        self.ask("top", "GET", f"/containers/{self.somebody}/top", 200, 404, 409)

    def statistics(self):
        self.ask("stats", "GET", f"/containers/{self.somebody}/stats?stream=0&one-shot=1", 200, 404, 409)

    def changes(self):
        self.ask("diff", "GET", f"/containers/{self.somebody}/changes", 200, 404, 409)

    def remove(self):
        # By its id, for the name may be another's in the meantime.
        found = self.ask("inspect", "GET", f"/containers/{self.somebody}/json", 200, 404)
        if not found:
            return
        force = self.random.random() < 0.7
        target = f"/containers/{found['Id']}"
        gone = self.ask("rm -f" if force else "rm", "DELETE", f"{target}?force={int(force)}&v={self.random.randrange(2)}", 204, 404, 409)
        if gone is not None:
            self.ask("inspect the removed", "GET", f"{target}/json", 404)

    def run_once(self):
        made = self.ask("run --rm", "POST", "/containers/create", 201, 400, 404, 409, body=self.configuration(removed=True))
        if not made:
            return
        target = f"/containers/{made['Id']}"
        # A prune may have been quicker.
        started = self.ask("run --rm start", "POST", f"{target}/start", 204, 400, 404, 409)
        if started is None or self.random.random() < 0.5:
            gone = self.ask("run --rm rm", "DELETE", f"{target}?force=1", 204, 404, 409)
        else:
            self.ask("run --rm stop", "POST", f"{target}/stop?t=0", 204, 304, 404, 409)
            gone = self.ask("run --rm wait", "POST", f"{target}/wait?condition=removed", 200, 404)
        if gone is not None:
            self.ask("inspect what removed itself", "GET", f"{target}/json", 404)

    def connect(self):
        network = self.random.choice(NETWORKS)
        # 403: it is there already, or has no network of its own.
        self.ask("network connect", "POST", f"/networks/{network}/connect", 200, 400, 403, 404, 409, body={"Container": self.somebody})

    def disconnect(self):
        body = {"Container": self.somebody, "Force": self.random.random() < 0.3}
        self.ask("network disconnect", "POST", f"/networks/{self.random.choice(NETWORKS)}/disconnect", 200, 400, 403, 404, 409, body=body)

    def make_network(self):
        body = {"Name": self.random.choice(NETWORKS), "CheckDuplicate": True}
        self.ask("network create", "POST", "/networks/create", 201, 409, body=body)

    def remove_network(self):
        self.ask("network rm", "DELETE", f"/networks/{self.random.choice(NETWORKS)}", 204, 403, 404, 409)

    def make_volume(self):
        self.ask("volume create", "POST", "/volumes/create", 201, 409, body={"Name": self.random.choice(VOLUMES)})

    def remove_volume(self):
        self.ask("volume rm", "DELETE", f"/volumes/{self.random.choice(VOLUMES)}", 204, 404, 409)

    def look_around(self):
        self.ask("networks", "GET", "/networks", 200)
        self.ask("volumes", "GET", "/volumes", 200)
        self.ask("info", "GET", "/info", 200)
        self.ask("df", "GET", "/system/df", 200)

    def events(self):
        self.peek("events", "GET", "/events", 200)

    def prune(self):
        what = self.random.choice(["containers", "containers", "networks", "volumes"])
        self.ask(f"prune {what}", "POST", f"/{what}/prune", 200, 409)


WEIGHTS = {
    "create": 14, "start": 14, "stop": 5, "kill": 4, "restart": 4, "rename": 4, "pause": 3, "unpause": 3, "execute": 5, "logs": 3, "attach": 3,
    "inspect": 4, "list": 4, "copy_in": 3, "copy_out": 2, "update": 3, "wait": 3, "top": 1, "statistics": 1, "changes": 1, "remove": 6, "run_once": 5,
    "connect": 4, "disconnect": 3, "make_network": 3, "remove_network": 1, "make_volume": 2, "remove_volume": 2, "look_around": 1, "events": 1,
    "prune": 1,
}
