"""Hooks that a device's description (CDI) asks for: run when, where and with what another runtime (runc) runs them, and what is said of those that fail."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest

from conftest import wait_for
from test_namespaces import NONE, Command, Described

# What a hook sees. It runs as a program of the host's, and says so in a file of the host's.
SEES = r"""
import json, os, sys
out, moment = sys.argv[1:3]
state = json.load(sys.stdin)
bundle = state["bundle"]
config = json.load(open(bundle + "/config.json"))
root = os.path.join(bundle, config["root"]["path"])
seen = {
    "moment": moment, "status": state["status"], "id": state["id"], "version": state["ociVersion"][0], "annotation": state.get("annotations", {}).get("of"),
    "arguments": config["process"]["args"], "environment": sorted(name for name in os.environ if name != "LC_CTYPE"), "word": os.environ.get("WORD"),
    "others_processes": os.readlink("/proc/self/ns/pid") != HOST_PID, "process": (state.get("pid") or 0) > 1,
    "waits": os.readlink(f"/proc/{state['pid']}/ns/uts") != os.readlink("/proc/self/ns/uts") if moment in ("prestart", "createRuntime") else None,
    "streams": [os.path.exists(f"/proc/self/fd/{n}") for n in range(3)], "open": [n for n in map(int, os.listdir("/proc/self/fd")) if n > 2 and os.path.exists(f"/proc/self/fd/{n}")],
}
if moment == "createContainer":
    seen["root"] = sorted(set(os.listdir(root)) & {"bin", "proc", "etc"})
    seen["mounted"] = os.path.ismount(root + "/proc")
    open(root + "/made", "w").write("by a hook\n")
with open(out, "a") as file: file.write(json.dumps(seen, sort_keys=True) + "\n")
"""

INSIDE = "cat > /state; echo $WORD $0 >> /state"


def hooks(script, out):
    """The same for both: what each moment runs."""
    host = {moment: {"path": "/usr/bin/python3", "args": ["python3", script, out, moment], "env": [f"WORD={moment}"], "timeout": 20}
            for moment in ("prestart", "createRuntime", "createContainer", "poststart", "poststop")}
    return {**host, "startContainer": {"path": "/bin/sh", "args": ["sh", "-c", INSIDE, "started"], "env": ["WORD=inside"]}}


PROGRAM = "cat /made /state; ls /proc/self/fd"


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "sees.py"
    path.write_text(SEES.replace("HOST_PID", repr(os.readlink("/proc/self/ns/pid"))))
    return str(path)


def described(tmp_path, devices):
    """A description of devices, each with these hooks."""
    folder = tmp_path / "described"
    folder.mkdir()
    (folder / "thing.json").write_text(json.dumps({"cdiVersion": "0.6.0", "kind": "vendor.com/thing", "devices": [
        {"name": name, "containerEdits": {"hooks": [{"hookName": moment, **hook} for moment, hook in wanted]}} for name, wanted in devices.items()]}))
    return str(folder)


@pytest.fixture
def engine(busybox_tar, tmp_path):
    """Starts an engine where such devices are described."""
    base = tempfile.mkdtemp(prefix="berth-hooks-")
    started = []

    def start(devices):
        daemon = Described(base, described(tmp_path, devices)).start()
        started.append((daemon, Command(daemon, busybox_tar)))
        return started[0][1]

    yield start
    for daemon, berth in started:
        for identity in berth.out("ps", "-aq").split():
            berth("rm", "-f", identity)
        daemon.stop()
    shutil.rmtree(base)


def by_runc(busybox_tar, tmp_path, script, out):
    """What runc does with the same hooks: the program's output."""
    bundle = tmp_path / "bundle"
    (bundle / "rootfs").mkdir(parents=True)
    subprocess.run(["tar", "-C", bundle / "rootfs", "-xf", busybox_tar], check=True)
    (bundle / "rootfs/etc").mkdir(exist_ok=True)
    subprocess.run(["runc", "spec", "--bundle", bundle], check=True)
    spec = json.loads((bundle / "config.json").read_text())
    spec["process"].update(terminal=False, args=["sh", "-c", PROGRAM])
    spec["root"]["readonly"] = False
    spec["annotations"] = {"of": "mine"}
    spec["hooks"] = {moment: [hook] for moment, hook in hooks(script, out).items()}
    (bundle / "config.json").write_text(json.dumps(spec))
    done = subprocess.run(["runc", "--root", tmp_path / "runc", "run", "--bundle", bundle, f"hooked-{os.getpid()}"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def observed(out):
    seen = [json.loads(line) for line in pathlib.Path(out).read_text().splitlines()]
    for one in seen:
        assert len(one.pop("id")) > 0
    return seen


def descriptors(seen):
    """What is open beside the streams: in runc's hooks there may be some of its own."""
    return [one.pop("open") for one in seen]


def inside(text):
    """What the program shows: what hooks have made, the state that the one inside read, and its descriptors."""
    made, rest = text.split("\n", 1)
    state, rest = rest.split("inside started\n", 1)
    state = json.loads(state)
    return made, {name: state[name] for name in ("status", "pid")}, state["annotations"]["of"], rest.split()


@pytest.mark.skipif(shutil.which("runc") is None, reason="runc is not installed")
def test_they_run_as_another_runtime_runs_them(engine, busybox_tar, tmp_path, script):
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    berth = engine({"all": list(hooks(script, ours).items())})
    arguments = ("run", "--annotation", "of=mine", "--device", "vendor.com/thing=all", *NONE, "--name", "hooked", "box", "sh", "-c", PROGRAM)
    told = berth.out(*arguments)
    expected = by_runc(busybox_tar, tmp_path, script, theirs)
    assert inside(told) == inside(expected)
    seen, expected = observed(ours), observed(theirs)
    assert descriptors(seen) == [[]] * 5 and len(descriptors(expected)) == 5
    # This runc runs those of the program's start before it.
    assert seen[3].pop("status") == "running" and expected[3].pop("status") in ("created", "running")
    assert seen == expected
    assert [one["moment"] for one in observed(ours)] == ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
    # Each start runs them, with an own program 1 too, and nothing of them is left.
    berth.out("start", "-a", "hooked")
    assert len(observed(ours)) == 10
    assert inside(berth.out("run", "--rm", "--init", *arguments[1:7], "box", "sh", "-c", PROGRAM))[0] == "by a hook"
    assert "rootfs" not in subprocess.run(["cat", "/proc/self/mounts"], capture_output=True, text=True).stdout
    wait_for(lambda: not list(pathlib.Path(berth.daemon.base, "run/containers").glob("*/rootfs")), "what is left of the one that removed itself to go")
    assert len(observed(ours)) == 15


def test_what_fails_ends_the_start_and_says_why(engine, tmp_path):
    def sh(script, **more):
        return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}

    late = tmp_path / "late"
    wrong = {
        "status": ("createContainer", sh("echo out; echo 'went wrong' >&2; exit 3"), "cannot run the hook 'createContainer /bin/sh': exit status 3: out went wrong"),
        "runtime": ("createRuntime", sh("echo no >&2; exit 1"), "cannot run the hook 'createRuntime /bin/sh': exit status 1: no"),
        "silent": ("prestart", sh("exit 9"), "cannot run the hook 'prestart /bin/sh': exit status 9"),
        "signal": ("createContainer", sh("kill -9 $$"), "cannot run the hook 'createContainer /bin/sh': signal 9"),
        "late": ("createContainer", sh(f"sleep 1000; touch {late}", timeout=1), "cannot run the hook 'createContainer /bin/sh': it did not end within 1 s"),
        "outside": ("createRuntime", sh("exec sleep 1000", timeout=1), "cannot run the hook 'createRuntime /bin/sh': it did not end within 1 s"),
        "missing": ("createContainer", {"path": "/no/hook"}, "cannot run the hook 'createContainer /no/hook': No such file or directory"),
        "started": ("startContainer", {"path": "/no/hook"}, "cannot run the hook 'startContainer /no/hook': No such file or directory"),
        "relative": ("createContainer", {"path": "hook"}, "the createContainer hook 'hook' needs an absolute path"),
        "hasty": ("createContainer", sh("true", timeout=-1), "has a time-out of -1 seconds"),
        "after": ("poststart", sh("echo out; echo 'went wrong' >&2; exit 3"), "cannot run the hook 'poststart /bin/sh': exit status 3: out went wrong"),
        "killed": ("poststart", sh("kill -9 $$"), "cannot run the hook 'poststart /bin/sh': signal 9"),
        "waiting": ("poststart", sh("exec sleep 1000", timeout=1), "cannot run the hook 'poststart /bin/sh': it did not end within 1 s"),
        "absent": ("poststart", {"path": "/no/hook"}, "cannot run the hook 'poststart /no/hook': No such file or directory"),
        "ending": ("poststop", {"path": "hook"}, "the poststop hook 'hook' needs an absolute path"),
        "never": ("whenever", sh("true"), "CDI device injection failed: 'whenever' is no moment at which there are hooks"),
        "loud": ("createContainer", sh("yes 'far too much' | head -c 3000000; exit 1"), "exit status 1: far too much far too much"),
    }
    berth = engine({name: [(moment, hook)] for name, (moment, hook, _) in wrong.items()})
    for name, (_, _, words) in wrong.items():
        refused = berth("run", "--name", name, "--device", f"vendor.com/thing={name}", *NONE, "box", "sleep", "100000")
        assert refused.returncode == 125 and words in refused.stderr, (name, refused.stderr)
        assert len(refused.stderr) < 2000
        # It was never there, and can be removed like any other.
        assert berth.out("inspect", "--format", "{{.State.Status}} {{.State.Pid}}", name) == "created 0"
        berth.out("rm", name)
    # Nothing that a hook began goes on in the container, and no group is left.
    wait_for(lambda: not list(pathlib.Path(berth.daemon.base, "run/containers").iterdir()), "what runs to be gone")
    assert not late.exists()


def test_what_fails_at_the_end_is_told_and_keeps_nothing(engine, tmp_path):
    """Each hook is run; the container has ended whatever they do, and those of a start that failed are run, too."""
    def sh(script, **more):
        return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}

    ran = tmp_path / "ran"
    note = sh(f"cat >> {ran}; echo >> {ran}")
    berth = engine({
        "ends": [("poststop", sh("echo no; exit 4")), ("poststop", sh("(sleep 98765; echo) & exit 5")), ("poststop", note)],
        "fails": [("createRuntime", sh("exit 1")), ("poststop", sh("exit 6")), ("poststop", note)],
    })
    berth.out("run", "--name", "ending", "--device", "vendor.com/thing=ends", *NONE, "box", "true")
    states = [json.loads(line) for line in ran.read_text().splitlines()]
    assert [(state["status"], "pid" in state) for state in states] == [("stopped", False)]
    told = berth.out("events", "--since", "1h", "--until", "0s", "--filter", "type=daemon", "--format", "{{index .Actor.Attributes \"message\"}}")
    assert "cannot run the hook 'poststop /bin/sh': exit status 4: no" in told and "exit status 5" in told
    assert berth.out("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "ending") == "exited 0"
    berth.out("rm", "ending")
    assert len(ran.read_text().splitlines()) == 1
    # One that removes itself.
    berth.out("run", "--rm", "--device", "vendor.com/thing=ends", *NONE, "box", "true")
    wait_for(lambda: len(ran.read_text().splitlines()) == 2, "the hooks of one that removed itself")
    refused = berth("run", "--name", "failing", "--device", "vendor.com/thing=fails", *NONE, "box", "true")
    assert refused.returncode == 125 and "createRuntime /bin/sh': exit status 1; cannot run the hook 'poststop /bin/sh': exit status 6" in refused.stderr
    assert len(ran.read_text().splitlines()) == 3
    wait_for(lambda: not list(pathlib.Path(berth.daemon.base, "run/containers").iterdir()), "what runs to be gone")
    subprocess.run(["pkill", "-f", "^sleep 98765$"], check=False)
