"""What people type, with the stock Docker command line and with berth: the same answers, the same exit codes."""
import json
import re
import signal
import subprocess

import pytest

from conftest import wait_for

NONE = ("--network", "none")


def test_version_and_info(client):
    assert re.search(r"(?s)Client.*Version.*Server.*Version", client.out("version"))
    info = json.loads(client.out("info", "--format", "{{json .}}"))
    assert info["Driver"] in ("overlay2", "vfs")
    assert info["OSType"] == "linux" and info["NCPU"] >= 1 and info["MemTotal"] > 1 << 20


def test_import_images_tag_rmi(client, busybox_tar):
    reference = f"made-{client.name}:1"
    identity = client.out("import", "--change", "ENV A=b", "--change", 'CMD ["sh", "-c", "echo $A"]', "-m", "a word", busybox_tar, reference)
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", identity)
    assert client.out("images", "-q", "--no-trunc", reference) == identity
    client("tag", reference, f"made-{client.name}:2")
    image = json.loads(client.out("inspect", reference))[0]
    assert image["Id"] == identity and image["Config"]["Env"][-1] == "A=b" and image["Comment"] == "a word"
    assert sorted(image["RepoTags"]) == [f"made-{client.name}:1", f"made-{client.name}:2"]
    assert client.out("run", "--rm", *NONE, reference) == "b"
    assert client.out("rmi", f"made-{client.name}:2") == f"Untagged: made-{client.name}:2"
    gone = client.out("rmi", reference).splitlines()
    assert gone[0] == f"Untagged: {reference}" and f"Deleted: {identity}" in gone
    missing = client("inspect", "--type", "image", reference, status=1)
    assert "No such image" in missing.stderr


def test_a_real_debian(client, debian):
    assert client.out("run", "--rm", *NONE, debian, "sh", "-c", ". /etc/os-release; echo $ID $$") == "debian 1"
    assert client.out("run", "--rm", *NONE, debian, "dpkg-query", "-W", "-f", "${Status}", "bash") == "install ok installed"


def test_pipe_on_standard_input(client, box):
    data = bytes(range(256)) * 40_000
    assert client("run", "--rm", "-i", *NONE, box, "cat", input=data).stdout == data


def test_streams_are_apart(client, box):
    done = client("run", "--rm", *NONE, box, "sh", "-c", "echo out; echo err >&2; exit 7", status=7)
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


@pytest.mark.parametrize("command, status", [(["true"], 0), (["sh", "-c", "exit 3"], 3), (["nothing-there"], 127), (["/etc/passwd"], 126),
                                             (["sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137)])
def test_exit_codes(client, box, command, status):
    client("run", "--rm", *NONE, box, *command, status=status)


def test_missing_image_and_unknown_flag_are_125(client):
    assert "nowhere" in client("run", "--rm", *NONE, "--pull", "never", "nowhere", "true", status=125).stderr
    assert "no-such-flag" in client("run", "--no-such-flag", "x", status=125).stderr


def test_terminal(client, box, name):
    terminal = client.terminal("run", "-it", "--name", name, *NONE, box, "sh", rows=31, columns=101)
    terminal.expect("# ")
    terminal.sendline("tty; stty size; echo $TERM")
    terminal.expect("/dev/pts/0")
    terminal.expect("31 101")
    terminal.expect("xterm")
    terminal.setwinsize(40, 120)
    terminal.sendline("for i in 1 2 3 4 5 6 7 8 9 10; do stty size | grep '40 120' && break; sleep 0.1; done")
    terminal.expect("40 120\r\n")
    terminal.expect("# ")
    terminal.sendline("sh -c 'echo go$((1 + 1)); exec sleep 100'")
    terminal.expect("go2\r\n")
    terminal.sendcontrol("c")
    terminal.expect("# ")
    terminal.sendline("echo status $?")
    terminal.expect("status 130")
    terminal.sendcontrol("p")
    terminal.sendcontrol("q")
    terminal.expect("\\^P\\^Q|read escape sequence|$")
    terminal.wait()
    assert client.out("inspect", "-f", "{{.State.Running}}", name) == "true"
    again = client.terminal("attach", name)
    again.sendline("echo again-$((40 + 2)); exit 5")
    again.expect("again-42")
    again.expect(__import__("pexpect").EOF)
    again.wait()
    assert again.exitstatus == 5


def test_life(client, box, name):
    identity = client.out("run", "-d", "--name", name, *NONE, box, "sh", "-c", "trap 'echo bye; exit 4' TERM; echo up; while :; do sleep 0.1; done")
    assert re.fullmatch("[0-9a-f]{64}", identity)
    assert name in client.out("ps", "--format", "{{.Names}}").splitlines()
    wait_for(lambda: "up" in client.out("logs", name), "the first line")
    assert client.out("exec", name, "sh", "-c", "echo in; exit 0") == "in"
    client("exec", name, "sh", "-c", "exit 9", status=9)
    client("exec", name, "nothing-there", status=127)
    assert client.out("stop", name) == name
    state = json.loads(client.out("inspect", name))[0]["State"]
    assert (state["Status"], state["ExitCode"], state["Running"]) == ("exited", 4, False)
    assert client.out("logs", name).splitlines() == ["up", "bye"]
    assert client.out("start", name) == name
    waiting = client.start("wait", name, stdout=subprocess.PIPE, text=True)
    client("kill", "-s", "KILL", name)
    assert waiting.communicate(timeout=20)[0].strip() == "137"
    assert client.out("rm", name) == name
    assert name not in client.out("ps", "-a", "--format", "{{.Names}}").splitlines()
    assert "No such container" in client("inspect", "--type", "container", name, status=1).stderr


def test_exec_in_a_terminal(client, box, name):
    client("run", "-d", "--name", name, *NONE, box, "sleep", "1000")
    terminal = client.terminal("exec", "-it", "-e", "A=b", "-w", "/tmp", "-u", "user", name, "sh")
    terminal.expect(r"\$ ")
    terminal.sendline("echo $A $(pwd) $(id -un) $(id -Gn)")
    terminal.expect("b /tmp user user extra")
    terminal.sendline("exit 6")
    terminal.expect(__import__("pexpect").EOF)
    terminal.wait()
    assert terminal.exitstatus == 6
    client("exec", "-d", name, "touch", "/tmp/made")
    wait_for(lambda: client("exec", name, "test", "-e", "/tmp/made", status=None).returncode == 0, "the detached exec")
    assert client("exec", "-i", name, "cat", input="through\n").stdout == "through\n"
    client("rm", "-f", name)


def test_logs_follow_tail_timestamps(client, box, name):
    client("run", "-d", "--name", name, *NONE, box, "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; done; read x < /proc/1/fd/0; sleep 0.3; echo last")
    followed = client("logs", "-f", name).stdout.splitlines()
    assert followed == [f"line {i}" for i in range(1, 6)] + ["last"]
    assert client.out("logs", "--tail", "2", name).splitlines() == ["line 5", "last"]
    stamped = client.out("logs", "-t", "--tail", "1", name)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z last", stamped)


def test_attach_sees_output_and_signals_are_proxied(client, box, name):
    client("run", "-d", "--name", name, *NONE, box, "sh", "-c", "trap 'echo got; exit 3' INT TERM; while :; do echo tick; sleep 0.1; done")
    attached = client.start("attach", name, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    assert attached.stdout.readline() == "tick\n"
    attached.send_signal(signal.SIGTERM)
    rest = attached.communicate(timeout=20)[0]
    assert rest.splitlines()[-1] == "got" and attached.returncode == 3


def test_names_conflict_and_force(client, box, name):
    client("create", "--name", name, *NONE, box, "true")
    again = client("create", "--name", name, *NONE, box, "true", status=1)
    assert "already in use" in again.stderr
    client("start", name)
    client("rm", "-f", name)
    assert "No such container" in client("rm", name, status=1).stderr


def test_ps_filters(client, box, name):
    client("run", "--name", name, "--label", "berth.test=1", *NONE, box, "sh", "-c", "exit 2", status=2)
    assert client.out("ps", "-a", "--filter", f"name={name}", "--filter", "exited=2", "--format", "{{.Names}}") == name
    assert client.out("ps", "-a", "--filter", "label=berth.test=1", "--filter", f"name={name}", "-q", "--no-trunc") == \
        client.out("inspect", "-f", "{{.Id}}", name)
    assert client.out("ps", "--filter", f"name={name}", "-q") == ""
    assert "nonsense" in client("ps", "--filter", "nonsense=1", status=1).stderr
    assert re.search(r"Exited \(2\)", client.out("ps", "-a", "--filter", f"name={name}"))


def test_bind_mount(client, box, name, tmp_path):
    (tmp_path / "file").write_text("from the host\n")
    assert client.out("run", "--rm", *NONE, "-v", f"{tmp_path}:/data:ro", box, "cat", "/data/file") == "from the host"
    client("run", "--rm", *NONE, "-v", f"{tmp_path}:/data:ro", box, "touch", "/data/new", status=1)
    client("run", "--rm", *NONE, "-v", f"{tmp_path}:/data", box, "touch", "/data/new")
    assert (tmp_path / "new").exists()


def test_events(client, box, name):
    began = client.out("info", "--format", "{{.SystemTime}}")
    client("run", "--name", name, *NONE, box, "true")
    client("rm", name)
    ended = client.out("info", "--format", "{{.SystemTime}}")
    seen = client.out("events", "--since", began, "--until", ended, "--filter", f"container={name}", "--format", "{{.Action}}").splitlines()
    for action in ("create", "start", "die", "destroy"):
        assert action in seen
    assert seen.index("create") < seen.index("start") < seen.index("die") < seen.index("destroy")


def test_default_network_is_the_bridge(client, box):
    said = client.out("run", "--rm", box, "sh", "-c", "ip -o -4 addr show eth0; ip route")
    gateway = client.out("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}").strip()
    assert f"default via {gateway} dev eth0" in said and "inet 172." in said


def test_user_and_environment(client, box):
    assert client.out("run", "--rm", *NONE, "-u", "user", "-e", "X=1", "-w", "/home/user", "--hostname", "here", box,
                      "sh", "-c", "id -u; id -G; echo $X $HOME $PWD; hostname").splitlines() == ["1000", "1000 2000", "1 /home/user /home/user", "here"]
    assert "unable to find user nobody-here" in client("run", "--rm", *NONE, "-u", "nobody-here", box, "true", status=None).stderr
