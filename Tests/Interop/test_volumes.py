"""Volumes and mounts: the same commands at Debian's dockerd and at berthd, by docker and by berth; the same is said, and the same is so afterwards."""
import difflib
import json
import re
import shutil
import subprocess
import tempfile

import pytest

from conftest import BIN, Daemon, clients
from test_confinement import Docker

DEBIAN = "/usr/bin/docker"
RUN = ["run", "--rm", "--network", "none"]

# What is typed, one after the other. BASE is a folder of the side's own, and the same path in answers.
SCRIPT = [
    ["volume", "ls"],
    ["volume", "create", "data"],
    ["volume", "create", "data"],
    ["volume", "create", "--label", "a=b", "--label", "c", "labelled"],
    ["volume", "create", "-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=1m,uid=5", "memory"],
    ["volume", "create", "-o", "type=none", "-o", "device=BASE/bound", "-o", "o=bind", "bound"],
    ["volume", "create", "x"],
    ["volume", "create", "a/b"],
    ["volume", "create", "-d", "nonsense", "other"],
    ["volume", "create", "-o", "odd=1", "odd"],
    ["volume", "create", "-o", "type=nfs", "odd"],
    ["volume", "create", "-o", "o=ro", "odd"],
    ["volume", "ls"],
    ["volume", "ls", "-q", "--filter", "name=a"],
    ["volume", "ls", "-q", "--filter", "label=a"],
    ["volume", "ls", "-q", "--filter", "label=a=c"],
    ["volume", "ls", "-q", "--filter", "driver=local"],
    ["volume", "ls", "--filter", "nonsense=x"],
    ["volume", "ls", "--filter", "dangling=maybe"],
    ["volume", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}} {{.Label \"a\"}} {{.Label \"c\"}} {{.Links}} {{.Size}}"],
    ["volume", "inspect", "data", "labelled", "memory", "bound"],
    ["volume", "inspect", "-f", "{{.Name}} {{.Driver}}", "data", "nowhere"],
    ["volume", "inspect", "nowhere"],
    ["inspect", "data"],
    ["inspect", "--type", "volume", "-f", "{{.Name}}", "data"],
    # What the image has at the place of a volume.
    [*RUN, "box", "stat", "-c", "%a %u %g", "/data"],
    [*RUN, "box", "cat", "/data/sub/file"],
    [*RUN, "-v", "data:/data", "box", "sh", "-c", "stat -c '%a %u %g' /data; cat /data/sub/file; echo new >/data/new"],
    [*RUN, "-v", "data:/other:ro", "box", "sh", "-c", "cat /other/new; touch /other/x"],
    [*RUN, "-v", "fresh:/data:nocopy", "box", "sh", "-c", "ls /data; stat -c '%a %u %g' /data"],
    [*RUN, "--mount", "src=fresh2,dst=/data,volume-nocopy", "box", "ls", "/data"],
    [*RUN, "--mount", "src=fresh3,dst=/data,volume-label=x=y,readonly", "box", "sh", "-c", "cat /data/sub/file; touch /data/x"],
    ["volume", "inspect", "-f", "{{json .Labels}}", "fresh3"],
    [*RUN, "-v", "memory:/m", "box", "sh", "-c", "stat -c %u /m; grep ' /m ' /proc/self/mountinfo | sed 's/.* - //'"],
    [*RUN, "-v", "bound:/b", "box", "sh", "-c", "cat /b/here; touch /b/made"],
    # One that is memory is the same for all that run, at every place, and goes with the last of them.
    [*RUN, "-v", "memory:/m", "-v", "memory:/n/deep:ro", "box", "sh", "-c", "echo x > /m/file; cat /n/deep/file; touch /n/deep/x"],
    ["create", "--name", "first", "--network", "none", "-v", "memory:/var/link/m", "box", "sleep", "1000"],
    ["start", "first"],
    ["exec", "first", "sh", "-c", "cat /var/link/m/file; echo one > /var/link/m/file"],
    ["create", "--name", "second", "--network", "none", "-v", "memory:/n:ro", "box", "sh", "-c", "cat /n/file; touch /n/x; sleep 1000"],
    ["start", "second"],
    [*RUN, "-v", "memory:/o", "box", "sh", "-c", "cat /o/file; echo two > /o/file; stat -c %u /o; grep ' /o ' /proc/self/mountinfo | sed 's/.* - //'"],
    ["exec", "first", "cat", "/var/link/m/file"],
    ["rm", "-f", "first"],
    [*RUN, "-v", "memory:/o", "box", "sh", "-c", "cat /o/file; echo three > /o/file"],
    ["exec", "second", "sh", "-c", "cat /n/file; touch /n/x"],
    ["rm", "-f", "second"],
    [*RUN, "-v", "memory:/o", "box", "ls", "-A", "/o"],
    # At a place to which a link leads that leads to nothing yet.
    ["create", "--name", "early", "--network", "none", "-v", "fresh4:/var/link/deep", "box", "sh", "-c", "cat /behind/deep/copied"],
    ["cp", "BASE/bound/here", "early:/var/link/deep/copied"],
    ["start", "-a", "early"],
    ["rm", "early"],
    ["volume", "rm", "fresh4"],
    # Memory.
    [*RUN, "--tmpfs", "/t", "box", "sh", "-c", "grep ' /t ' /proc/self/mountinfo | cut -d' ' -f 6,9,10"],
    [*RUN, "--tmpfs", "/t:size=1m,mode=700,exec", "box", "sh", "-c", "stat -c %a /t; grep ' /t ' /proc/self/mountinfo | cut -d' ' -f 6,9"],
    [*RUN, "--mount", "type=tmpfs,dst=/t,tmpfs-size=2m,tmpfs-mode=1770", "box", "sh", "-c", "stat -c %a /t; grep ' /t ' /proc/self/mountinfo | cut -d' ' -f 6,9"],
    [*RUN, "--tmpfs", "/t:odd=1", "box", "true"],
    [*RUN, "--tmpfs", "t", "box", "true"],
    [*RUN, "--read-only", "--tmpfs", "/t", "-v", "data:/v", "box", "sh", "-c", "touch /x; touch /t/x /v/x && ls /t"],
    # Directories of the host's.
    [*RUN, "-v", "BASE/missing/deep:/h", "box", "ls", "-A", "/h"],
    # One that holds nothing gets what the image has, also as a volume.
    ["volume", "create", "-o", "type=none", "-o", "device=BASE/missing/deep", "-o", "o=bind", "hollow"],
    [*RUN, "-v", "hollow:/data", "box", "sh", "-c", "stat -c '%a %u %g' /data; cat /data/sub/file"],
    [*RUN, "-v", "BASE/missing/deep:/h", "box", "sh", "-c", "ls -A /h; stat -c '%a %u %g' /h"],
    [*RUN, "-v", "BASE/bound:/h:ro", "box", "sh", "-c", "cat /h/here; touch /h/x"],
    [*RUN, "-v", "BASE/bound/here:/a/new/file", "box", "cat", "/a/new/file"],
    [*RUN, "--mount", "type=bind,src=BASE/bound,dst=/h,readonly", "box", "sh", "-c", "cat /h/here; touch /h/x"],
    [*RUN, "--mount", "type=bind,src=BASE/nowhere,dst=/h", "box", "true"],
    [*RUN, "-v", "BASE/bound:/h:shared,private", "box", "true"],
    # Mounts travel only from a mount that lets them.
    [*RUN, "-v", "BASE/bound:/h:rshared", "box", "true"],
    [*RUN, "-v", "BASE/bound:/h:slave", "box", "true"],
    # What cannot be.
    [*RUN, "-v", "data:/x:odd", "box", "true"],
    [*RUN, "-v", "data:/x:ro,rw", "box", "true"],
    [*RUN, "-v", "data:relative", "box", "true"],
    [*RUN, "-v", "data:/", "box", "true"],
    [*RUN, "-v", "a/b:/x", "box", "true"],
    [*RUN, "-v", "data:/x", "-v", "fresh:/x", "box", "true"],
    [*RUN, "-v", "data:/x", "--mount", "src=fresh,dst=/x/", "box", "true"],
    [*RUN, "-v", "/afile", "box", "true"],
    [*RUN, "--mount", "type=volume,dst=/x,readonly", "box", "true"],
    [*RUN, "--mount", "type=bind,dst=/x", "box", "true"],
    [*RUN, "--mount", "type=odd,src=y,dst=/x", "box", "true"],
    [*RUN, "--mount", "type=tmpfs,src=y,dst=/x", "box", "true"],
    [*RUN, "--mount", "type=bind,src=BASE/bound,dst=/x,volume-nocopy", "box", "true"],
    [*RUN, "--mount", "type=volume,src=y,dst=/x,bind-propagation=shared", "box", "true"],
    [*RUN, "--mount", "type=volume,src=y", "box", "true"],
    [*RUN, "--volumes-from", "nowhere", "box", "true"],
    # Containers that stay.
    ["create", "--name", "keeper", "--network", "none", "-v", "data:/d", "-v", "/anonymous", "-v", "BASE/bound:/h:ro,private",
     "--mount", "type=volume,src=fresh,dst=/f,volume-nocopy", "--tmpfs", "/u:size=1m",
     "--mount", "type=bind,src=BASE/bound,dst=/i,bind-propagation=rprivate", "box", "sleep", "1000"],
    ["create", "--name", "forgetful", "--network", "none", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m", "box", "true"],
    ["inspect", "forgetful"],
    ["rm", "-v", "forgetful"],
    ["create", "--name", "borrower", "--network", "none", "--volumes-from", "keeper:ro", "-v", "labelled:/d", "box", "sh", "-c", "touch /anonymous/x || echo no"],
    [*RUN, "--volumes-from", "keeper:rshared", "box", "true"],
    ["inspect", "keeper", "borrower"],
    ["start", "-a", "borrower"],
    ["volume", "rm", "data"],
    ["volume", "rm", "-f", "data"],
    ["volume", "rm", "nowhere"],
    ["volume", "rm", "-f", "nowhere"],
    ["volume", "ls", "-q", "--filter", "dangling=true"],
    ["volume", "ls", "-q", "--filter", "dangling=false"],
    ["ps", "-a", "--filter", "volume=data", "--format", "{{.Names}}"],
    ["ps", "-a", "--filter", "volume=/anonymous", "--format", "{{.Names}}"],
    ["ps", "-a", "--filter", "name=keeper", "--format", "{{.LocalVolumes}}"],
    ["system", "df", "--format", "{{.Type}} {{.TotalCount}} {{.Active}}"],
    ["rm", "-v", "borrower"],
    ["volume", "ls", "-q"],
    ["rm", "-v", "keeper"],
    ["volume", "ls", "-q"],
    ["create", "--name", "lost", "--network", "none", "box", "true"],
    ["rm", "lost"],
    ["volume", "ls", "-q"],
    ["volume", "rm", "labelled", "nowhere", "memory"],
    ["volume", "rm", "data", "bound", "fresh", "fresh2", "fresh3", "hollow"],
    ["volume", "prune", "-f"],
    ["volume", "ls", "-q"],
]



class Side:
    def __init__(self, daemon_socket, base, program):
        self.socket, self.base, self.program = daemon_socket, base, program
        shutil.rmtree(base, ignore_errors=True)
        (base / "bound").mkdir(parents=True)
        (base / "bound/here").write_text("here\n")

    def __call__(self, words):
        words = [word.replace("BASE", str(self.base)) for word in words]
        done = subprocess.run(
            [self.program, "-H", f"unix://{self.socket}", *words], capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin:/bin", "HOME": str(self.base), "LC_ALL": "C.UTF-8"})
        return done.returncode, self.plain(done.stdout), self.plain(done.stderr)

    def plain(self, text):
        text = text.replace(str(self.base), "BASE")
        text = re.sub(r"(/[a-z0-9_./-]+)/volumes/", "ROOT/volumes/", text)
        return re.sub(r"\b[0-9a-f]{64}\b", "ID", re.sub(r"\d{4}-\d\d-\d\dT[0-9:.]+(Z|\+00:00)", "TIME", text))


def without_nothing(value):
    """What a client has said without saying anything."""
    if isinstance(value, dict):
        return {name: found for name, member in value.items() if (found := without_nothing(member)) not in ({}, None)}
    return [without_nothing(element) for element in value] if isinstance(value, list) else value


def of_mounts(item):
    """What a container's details say of mounts."""
    if "HostConfig" not in item:
        return item
    host = item["HostConfig"]
    return {
        "Mounts": sorted(item["Mounts"], key=lambda mount: mount["Destination"]), "Volumes": item["Config"]["Volumes"], "Binds": sorted(host["Binds"] or []),
        "HostMounts": without_nothing(host.get("Mounts")), "Tmpfs": host.get("Tmpfs"), "VolumesFrom": host["VolumesFrom"], "VolumeDriver": host["VolumeDriver"],
    }


def normal(words, stdout):
    """An answer without what is chosen anew each time, or has no order."""
    if words[:2] == ["volume", "inspect"] or words == ["inspect", "data"]:
        # Whether a client says that it wants no labels is its affair.
        return stdout.replace('"Labels": {}', '"Labels": null').replace('"Options": {}', '"Options": null')
    if words[:2] == ["volume", "ls"] or words[0] == "ps":
        return sorted(line.split() for line in stdout.splitlines())
    if words[:2] == ["system", "df"]:
        return stdout.splitlines()[:4]  # berth tells of more
    if words[:2] == ["volume", "prune"]:
        lines = stdout.splitlines()
        return sorted(line for line in lines if not line.startswith("Total reclaimed space"))
    if words[0] == "inspect" and stdout.startswith("["):
        return [of_mounts(item) for item in json.loads(stdout)]
    return stdout


def complaint(text):
    """One thing is said in one way, and where a client's help is does not matter."""
    text = "\n".join(line for line in text.splitlines() if line and not line.startswith(("See '", "Run '", "time=")))
    text = re.sub(r"file exists /\S+/afile", "file exists /afile", text)
    # Debian's docker has words of its own for what is not there.
    text = re.sub(r"Error: No such volume: (\S+)", r"Error response from daemon: get \1: no such volume", text)
    text = re.sub(r"^(docker|berth): (invalid argument)", r"\2", text)
    text = text.replace("berth:", "docker:").replace("berth run", "docker run")
    return text.strip().rstrip(".").lower()


@pytest.fixture(scope="module")
def tree_tar(busybox_tar, tmp_path_factory):
    """The busybox image with something at the place of a volume."""
    tree = tmp_path_factory.mktemp("volumes")
    subprocess.run(["tar", "-C", tree, "-xf", busybox_tar], check=True)
    (tree / "data/sub").mkdir(parents=True)
    (tree / "data/sub/file").write_text("from the image\n")
    (tree / "afile").write_text("x")
    (tree / "var").mkdir(exist_ok=True)
    (tree / "var/link").symlink_to("/behind")
    tar = tree.parent / "volumes.tar"
    subprocess.run(["chown", "1000:2000", tree / "data"], check=True)
    (tree / "data").chmod(0o750)
    subprocess.run(["tar", "-C", tree, "-cf", tar, "."], check=True)
    return tar


@pytest.fixture(scope="module")
def docker(tree_tar):
    base = tempfile.mkdtemp(prefix="docker-volumes-")
    docker = Docker(base)
    docker.out("import", "--change", "VOLUME /data", tree_tar, "box:latest")
    yield docker
    docker.stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def berthd(tree_tar):
    base = tempfile.mkdtemp(prefix="berth-volumes-")
    daemon = Daemon(base).start()
    subprocess.run([DEBIAN, "-H", f"unix://{daemon.socket}", "import", "--change", "VOLUME /data", tree_tar, "box:latest"], check=True, capture_output=True)
    yield daemon
    daemon.stop()
    shutil.rmtree(base)


def play(side):
    return [(words, *side(words)) for words in SCRIPT]


@pytest.fixture(scope="module")
def theirs(docker, tmp_path_factory):
    """What each client makes dockerd say, asked for once."""
    said = {}

    def of(name):
        if name not in said:
            said[name] = play(Side(docker.socket, tmp_path_factory.mktemp("theirs"), clients()[name]))
        return said[name]
    return of


def differences(theirs, ours):
    found = []
    for (words, status, out, err), (_, our_status, our_out, our_err) in zip(theirs, ours, strict=True):
        line = " ".join(words)
        if status != our_status:
            found.append(f"{line}\n  ended with {status} and {our_status}: {err} / {our_err}")
            continue
        a, b = normal(words, out), normal(words, our_out)
        if a != b:
            a, b = (json.dumps(value, indent=1, sort_keys=True).splitlines() for value in (a, b))
            found.append(line + "\n  " + "\n  ".join(difflib.unified_diff(a, b, "dockerd", "ours", n=0, lineterm="")))
        if complaint(err) != complaint(our_err) and not any(line.startswith(known) and words_ in complaint(our_err) for known, words_ in KNOWN.items()):
            found.append(f"{line}\n  - {complaint(err)}\n  + {complaint(our_err)}")
    return found


# Where our words are others on purpose, and what they say: they tell more, or are those of a younger one of Docker's.
KNOWN = {}


@pytest.mark.parametrize("name", list(clients()))
def test_the_same_is_said_and_is_so(theirs, berthd, tmp_path, name):
    found = differences(theirs(name), play(Side(berthd.socket, tmp_path, clients()[name])))
    assert not found, "\n".join(found)


def test_berth_says_at_dockerd_what_docker_says(theirs):
    found = differences(theirs("docker-debian"), theirs("berth"))
    assert not found, "\n".join(found)


def test_events_of_volumes(docker, berthd):
    heard = []
    for socket in (docker.socket, berthd.socket):
        def told(*words):
            done = subprocess.run([DEBIAN, "-H", f"unix://{socket}", *words], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            return done.stdout

        begin = told("system", "info", "-f", "{{.SystemTime}}").strip()
        told("volume", "create", "eventful")
        told("run", "--name", "ee", "--network", "none", "-v", "eventful:/e:ro", "box", "true")
        told("rm", "-v", "ee")
        told("volume", "rm", "eventful")
        end = told("system", "info", "-f", "{{.SystemTime}}").strip()
        lines = told("events", "--since", begin, "--until", end, "--format", "{{.Type}} {{.Action}} {{json .Actor}}").splitlines()
        wanted = [re.sub(r"\b[0-9a-f]{64}\b", "ID", line) for line in lines if line.startswith("volume")]
        # Until 23, dockerd told of one that was there already as if it had been made.
        wanted = [line for index, line in enumerate(wanted) if line not in wanted[:index] or "create" not in line or "eventful" not in line]
        order = [" ".join(line.split()[:2]) for line in lines if not line.startswith("network")]
        heard.append((sorted(wanted), [line for line in order if line not in ("container attach", "volume create")]))
    for theirs, ours in zip(*heard):
        assert theirs == ours, "\n".join(difflib.unified_diff(theirs, ours, "dockerd", "berthd", lineterm=""))


COMPOSE = """
    version: "2.4"
    services:
      writer:
        image: box:latest
        network_mode: none
        command: sh -c 'echo written >/shared/file; sleep 100000'
        volumes: ["shared:/shared", "./here:/here:ro", "/anonymous"]
        tmpfs: ["/t:size=1m"]
      reader:
        image: box:latest
        network_mode: none
        command: sleep 100000
        volumes_from: ["writer:ro"]
        volumes:
          - {type: volume, source: named, target: /named, volume: {nocopy: true}}
          - {type: tmpfs, target: /u, tmpfs: {size: 65536}}
    volumes:
      shared: {labels: {a: b}}
      named: {name: very-own}
"""


def test_compose_makes_and_removes_volumes(berthd, tmp_path):
    import textwrap

    (tmp_path / "docker-compose.yml").write_text(textwrap.dedent(COMPOSE))
    (tmp_path / "here").mkdir()

    def compose(*words):
        done = subprocess.run(
            ["docker-compose", "-p", "vols", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120,
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{berthd.socket}", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def volumes():
        return set(subprocess.run([DEBIAN, "-H", f"unix://{berthd.socket}", "volume", "ls", "-q"], capture_output=True, text=True, check=True).stdout.split())

    before = volumes()
    try:
        compose("up", "-d")
        assert {"vols_shared", "very-own"} <= volumes() - before
        assert compose("exec", "-T", "reader", "cat", "/shared/file") == "written\n"
        assert compose("exec", "-T", "reader", "sh", "-c", "touch /shared/x 2>/dev/null || echo no") == "no\n"
        # Made again, it has what it had.
        compose("rm", "-s", "-f", "writer")
        compose("up", "-d")
        assert compose("exec", "-T", "writer", "cat", "/shared/file") == "written\n"
    finally:
        compose("down", "-v", "-t", "0")
    assert not {"vols_shared", "very-own"} & volumes()
