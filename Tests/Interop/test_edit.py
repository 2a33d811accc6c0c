"""`berth edit`: a container becomes what its maker would have made with the new words, and stays the same container."""
import json
import subprocess

import pytest

from conftest import Client, clients

# Each flag of `create` that says what a container is, with what a second use of it does where that is more than the same again.
OPTIONS = [
    ["--add-host", "a:192.0.2.1"], ["--annotation", "a=b"], ["--cap-add", "NET_ADMIN"], ["--cap-drop", "CHOWN"], ["--cgroup-parent", "/edited"],
    ["--cgroupns", "host"], ["--cpu-period", "50000"], ["--cpu-quota", "20000"], ["-c", "512"], ["--cpus", "0.5"], ["--cpuset-cpus", "0"],
    ["--cpuset-mems", "0"], ["--device", "/dev/null:/dev/other:r"], ["--device-cgroup-rule", "c 1:3 r"], ["--dns", "192.0.2.1"],
    ["--dns-option", "ndots:2"], ["--dns-search", "example.org"], ["--domainname", "example.org"], ["--entrypoint", "/bin/sh"], ["-e", "A=b"],
    ["--expose", "80"], ["--group-add", "7"], ["--health-cmd", "true", "--health-interval", "3s", "--health-retries", "2"],
    ["--health-cmd", "true", "--health-on-failure", "restart"], ["-h", "edited"], ["--init"], ["-i"], ["--ipc", "host"], ["-l", "a=b"],
    ["--log-driver", "none"], ["--log-opt", "max-size=1m"], ["-m", "64m"], ["-m", "64m", "--memory-swap", "96m"], ["--memory-reservation", "32m"],
    ["--mount", "type=volume,source=edited,target=/v"], ["--no-healthcheck"], ["--oom-score-adj", "5"], ["--pid", "host"], ["--pids-limit", "9"],
    ["--privileged"], ["-p", "8080:80"], ["-P"], ["--read-only"], ["--restart", "on-failure:3"], ["--rm"], ["--security-opt", "no-new-privileges"],
    ["--security-opt", "seccomp=unconfined"], ["--security-opt", "systempaths=unconfined"], ["--shm-size", "1m"], ["--stop-signal", "INT"],
    ["--stop-timeout", "3"], ["--sysctl", "net.ipv4.ip_forward=1"], ["--tmpfs", "/t:size=1m"], ["-t"], ["--ulimit", "nofile=64:128"], ["-u", "7:8"],
    ["--uts", "host"], ["-v", "/etc:/host:ro"], ["-v", "edited:/v"], ["-w", "/tmp"],
]


@pytest.fixture(scope="module")
def berth(daemon, busybox_tar):
    berth = Client("berth-edit", clients()["berth"], daemon)
    berth("import", "--change", "CMD [\"sleep\",\"1000\"]", busybox_tar, "edited:1")
    berth("import", "--change", "CMD [\"sleep\",\"2000\"]", "--change", "LABEL is=two", busybox_tar, "edited:2")
    yield berth
    berth("rmi", "edited:1", "edited:2")
    berth("volume", "prune", "-af")


@pytest.fixture(autouse=True)
def nothing_is_left(berth):
    yield
    left = berth.out("ps", "-aq").split()
    if left:
        berth("rm", "-fv", *left)


def seen(berth, name):
    """What an inspection says of a container that another may be as well."""
    found = json.loads(berth.out("inspect", name))[0]
    mounts = [{key: mount[key] for key in mount if key not in ("Name", "Source")} for mount in found["Mounts"]]
    hostname = found["Config"]["Hostname"].replace(found["Id"][:12], "OWN")
    return {**found["Config"], "Hostname": hostname}, found["HostConfig"], mounts, found["Image"]


def test_each_option_does_what_it_does_at_create(berth):
    berth("create", "--name", "becomes", "edited:1")
    former, plain = berth.out("inspect", "-f", "{{.Id}} {{.Created}}", "becomes"), seen(berth, "becomes")
    for option in OPTIONS:
        berth("create", "--name", "made", *option, "edited:1")
        assert berth.out("edit", "becomes", *option) == former.split()[0], option
        assert seen(berth, "becomes") == seen(berth, "made"), option
        # And it is taken back, by the flag's long name.
        names = dict.fromkeys(long(word) for word in option if word.startswith("-"))
        berth("edit", "becomes", *(word for name in names for word in ("--unset", name)))
        assert seen(berth, "becomes") == plain, option
        berth("rm", "made")
    assert berth.out("inspect", "-f", "{{.Id}} {{.Created}}", "becomes") == former


def long(flag):
    short = {"-c": "cpu-shares", "-e": "env", "-h": "hostname", "-i": "interactive", "-l": "label", "-m": "memory", "-p": "publish",
             "-P": "publish-all", "-t": "tty", "-u": "user", "-v": "volume", "-w": "workdir"}
    return short.get(flag, flag.lstrip("-"))


def test_it_runs_on_and_says_so(berth):
    berth("run", "-d", "--name", "web", "--stop-timeout", "0", "-e", "A=1", "-v", "/data", "edited:1", "sleep", "500")
    berth("exec", "web", "sh", "-c", "echo layer >/kept; echo volume >/data/kept")
    id, address = berth.out("inspect", "-f", "{{.Id}} {{.NetworkSettings.IPAddress}}", "web").split()
    # Only shown.
    shown = berth.out("edit", "web", "--dry-run", "-e", "A=2", "--image", "edited:2", "--", "sleep", "600").splitlines()
    assert shown == [
        "- --env=A=1", "- edited:1 sleep 500", "+ --env=A=2", "+ edited:2 sleep 600",
        "What the container has written beside its volumes would go.", "The container would be stopped and started again.",
    ]
    assert berth.out("exec", "web", "sh", "-c", "echo $A; cat /kept") == "1\nlayer"
    since = berth.out("info", "-f", "{{.SystemTime}}")
    assert berth.out("edit", "web", "-e", "A=2", "-e", "B=3", "--", "sleep", "600") == id
    assert berth.out("exec", "web", "sh", "-c", "echo $A $B; cat /kept /data/kept; cat /proc/1/cmdline | tr '\\0' ' '") == \
        "2 3\nlayer\nvolume\nsleep 600"
    assert berth.out("inspect", "-f", "{{.NetworkSettings.IPAddress}} {{.Name}}", "web") == f"{address} /web"
    events = berth.out("events", "--since", since, "--until", berth.out("info", "-f", "{{.SystemTime}}"), "-f", "type=container",
                       "--format", "{{.Action}}").splitlines()
    assert [event for event in events if not event.startswith("exec")] == ["kill", "kill", "die", "stop", "start", "edit"]
    # The image's own command again, and of another image.
    berth("edit", "web", "--image", "edited:2", "--unset", "command", "--unset", "env=B")
    assert berth.out("exec", "web", "sh", "-c", "echo $A $B; cat /data/kept; cat /proc/1/cmdline | tr '\\0' ' '; ls /kept 2>&1; true") == \
        "2\nvolume\nsleep 2000 ls: /kept: No such file or directory"
    assert berth.out("inspect", "-f", "{{.Config.Labels.is}} {{.Config.Image}}", "web") == "two edited:2"


def test_an_editor_has_its_line(berth, tmp_path):
    berth("create", "--name", "lined", "-e", "A=one two", "-e", "B=it's", "edited:1", "echo", "a b")
    script = tmp_path / "editor"
    script.write_text("#!/bin/sh\ncp \"$1\" \"$0.seen\"\nsed -i \"s/one two/three  four/; s/a b/c d/\" \"$1\"\n")
    script.chmod(0o755)

    def edit(editor, *words):
        return subprocess.run(
            [berth.program, "edit", "lined", *words], capture_output=True, text=True, timeout=30, env={**berth.environment, "VISUAL": editor})

    done = edit(str(script))
    assert done.returncode == 0, done.stderr
    assert berth.out("inspect", "-f", "{{index .Config.Env 0}};{{index .Config.Env 1}};{{index .Config.Cmd 1}}", "lined") == \
        "A=three  four;B=it's;c d"
    seen = (tmp_path / "editor.seen").read_text()
    assert "\nberth run \\\n" in seen and "  '--env=A=one two' \\\n" in seen
    # What is left as it is changes nothing; what is broken does not, either.
    assert edit("true").stderr == "Nothing is otherwise.\n"
    before = berth.out("inspect", "lined")
    for editor, reason in [
        ("false", "did not end well"), ("sed -i s/run/walk/", "must begin with 'berth run'"), ("sed -i \"s/it/'it/\"", "cannot be read"),
        ("sed -i s/--name=lined/--name=other/", "berth rename"), ("sed -i s/--env=A/--nonsense/", "unknown flag"),
    ]:
        done = edit(editor)
        assert done.returncode != 0 and reason in done.stderr, (editor, done.stderr)
        assert berth.out("inspect", "lined") == before
    assert "VISUAL" in edit("").stderr


@pytest.mark.parametrize("words, reason", [
    (["--memory", "1m"], "Minimum memory limit allowed is 6MB"), (["--network", "nowhere"], "network nowhere not found"),
    (["--image", "edited:none", "--pull", "never"], "No such image"), (["--name", "other"], "berth rename"),
    (["--unset", "env=NONE"], "nothing of it is said"), (["--unset", "nonsense"], "nothing of it is said"), (["-p", "80:80:80:80"], "Invalid"),
    (["--restart", "sometimes"], "sometimes"), (["-v", "a:/x", "--mount", "type=bind,source=/not/there,target=/y"], "does not exist"),
    (["--cidfile", "/tmp/none"], "cannot be changed"), (["--rm", "--restart", "always"], "--restart and --rm"),
    (["--ulimit", "nofile=2:1"], "ulimit"), (["-e", "=x"], "invalid environment variable"), (["--entrypoint", "", "--", ""], "No command"),
])
def test_what_makes_no_sense_changes_nothing(berth, words, reason):
    berth("run", "-d", "--name", "steady", "edited:1")
    before = berth.out("inspect", "steady")
    done = berth("edit", "steady", *words, status=None)
    assert done.returncode != 0 and reason.lower() in done.stderr.lower(), done.stderr
    assert berth.out("inspect", "steady") == before


def test_nobody_is_not_edited(berth):
    assert "No such container: nobody" in berth("edit", "nobody", "-e", "A=b", status=None).stderr
