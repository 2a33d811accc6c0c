"""What containers do just now: their processes, and what they use; and what they have said, however much that was."""
import gzip
import json
import os
import re
import subprocess

import pytest

from conftest import wait_for

NONE = ("--network", "none")


def test_top(client, box, name):
    client("run", "-d", "--name", name, *NONE, "--user", "1000", box, "sh", "-c", "sleep  1000 & exec sleep 2000")
    wait_for(lambda: len(client.out("top", name).splitlines()) == 3, "both processes")
    lines = client.out("top", name).splitlines()
    assert lines[0].split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    pid = client.out("inspect", "--format", "{{.State.Pid}}", name)
    first = next(line for line in lines if line.split()[1] == pid)
    assert first.endswith("sleep 2000") and first.split()[5:7] == ["?", "00:00:00"]
    # What ps says of the same processes.
    for options in ("-ef", "aux", "-o pid,ppid,user,comm,args", "-eo pid,pgid,sess,tty,stat,ni,nlwp,uid,gid", "-eF"):
        own = client.out("top", name, *options.split()).splitlines()
        theirs = subprocess.run(["ps", *(["-eo", options.split()[1]] if options.startswith("-o") else options.split())], capture_output=True, text=True).stdout.splitlines()
        titles = theirs[0].split()
        column = titles.index("PID")
        other = next(line.split(None, len(titles) - 1) for line in theirs[1:] if line.split()[column] == pid)
        mine = next(re.split(r" {2,}", line.strip()) for line in own[1:] if pid in line.split())
        assert re.split(r" {2,}", own[0].strip()) == titles
        moving = {"VSZ", "RSS", "SZ", "%CPU", "%MEM", "PSR", "C", "STAT"}
        for title, ours, ps in zip(titles, mine, other, strict=True):
            assert title in moving or ours.strip() == ps.strip(), (options, title)


def test_top_of_a_terminal(client, box, name):
    client("run", "-dt", "--name", name, *NONE, box, "sleep", "1000")
    assert " pts/" in client.out("top", name) and re.search(r" SN?s\+ ", client.out("top", name, "aux"))


@pytest.mark.parametrize("options, expected", [
    (["-o", "user"], "Couldn't find PID field in ps output"), (["-o", "pid,wrong"], "the ps column 'wrong' is not supported"),
    (["-L"], "the ps option '-L' is not supported"), (["--forest"], "the ps option '--forest' is not supported"),
])
def test_top_says_what_it_cannot(client, box, name, options, expected):
    client("run", "-d", "--name", name, *NONE, box, "sleep", "1000")
    assert expected in client("top", name, *options, status=1).stderr
    client("kill", name)
    assert f"is not running" in client("top", name, status=1).stderr


def test_stats(client, box, name):
    client("run", "-d", "--name", name, box, "sh", "-c", "while :; do :; done")
    form = "{{.Name}}|{{.ID}}|{{.CPUPerc}}|{{.MemUsage}}|{{.MemPerc}}|{{.NetIO}}|{{.BlockIO}}|{{.PIDs}}"
    row = client.out("stats", "--no-stream", "--format", form, name).split("|")
    assert row[0] == name and len(row[1]) == 12 and row[7] == "1"
    assert 5 < float(row[2].rstrip("%")) <= 110
    used, limit = row[3].split(" / ")
    assert re.fullmatch(r"[\d.]+(KiB|MiB)", used) and re.fullmatch(r"[\d.]+GiB", limit) and row[4].endswith("%")
    assert re.fullmatch(r"[\d.]+k?B / [\d.]+k?B", row[5]) and re.fullmatch(r"[\d.]+[kMG]?B / [\d.]+[kMG]?B", row[6])
    table = client.out("stats", "--no-stream", name).splitlines()
    assert re.split(r" {2,}", table[0].strip()) == ["CONTAINER ID", "NAME", "CPU %", "MEM USAGE / LIMIT", "MEM %", "NET I/O", "BLOCK I/O", "PIDS"]
    assert name in client.out("stats", "--no-stream")
    client("kill", name)
    assert name not in client.out("stats", "--no-stream") and name in client.out("stats", "--no-stream", "--all")
    assert client.out("stats", "--no-stream", "--format", "{{.MemUsage}} {{.PIDs}}", name) == "0B / 0B 0"
    assert "No such container: nobody" in client("stats", "--no-stream", "nobody", status=1).stderr


def test_stats_follow_limits(client, box, name):
    client("run", "-d", "--name", name, *NONE, "-m", "64m", "--pids-limit", "50", box, "sleep", "1000")
    assert client.out("stats", "--no-stream", "--format", "{{.MemUsage}}", name).endswith(" / 64MiB")


def test_a_stream_of_stats(client, box, name):
    """A reading a second, through the end of the container and its next start, until it is removed."""
    client("create", "--name", name, *NONE, box, "sleep", "1000")
    stream = subprocess.Popen(
        ["curl", "-sN", "--unix-socket", client.daemon.socket, f"http://d/containers/{name}/stats"], stdout=subprocess.PIPE, text=True)
    assert json.loads(stream.stdout.readline())["pids_stats"] == {}
    client("start", name)
    readings = iter(lambda: json.loads(stream.stdout.readline()), None)
    first = next(each for each in readings if each["pids_stats"])
    second = next(readings)
    assert second["preread"] == first["read"] and second["precpu_stats"] == first["cpu_stats"] and "networks" not in second
    assert second["cpu_stats"]["system_cpu_usage"] > first["cpu_stats"]["system_cpu_usage"] and second["memory_stats"]["usage"] > 0
    client("kill", name)
    assert not next(each for each in readings if not each["pids_stats"])["memory_stats"]
    client("rm", name)
    wait_for(lambda: not stream.stdout.readline(), "the end of the stream")
    assert stream.wait(10) == 0


LINES = 20_000


def test_a_log_is_bounded_and_read_across_its_files(client, box, name):
    client("run", "--name", name, *NONE, "--log-opt", "max-size=100k", "--log-opt", "max-file=3", box, "seq", LINES)
    said = client.out("logs", name).split()
    assert said == [str(number) for number in range(int(said[0]), LINES + 1)] and 1 < int(said[0]) < LINES
    assert client.out("logs", "-n", "5000", name).split() == said[-5000:]
    assert client.out("logs", "-n", "100000", name).split() == said
    path = client.out("inspect", "--format", "{{.LogPath}}", name)
    sizes = [os.stat(path + end).st_size for end in ("", ".1", ".2")]
    assert not os.path.exists(path + ".3") and all(100_000 <= size < 200_000 for size in sizes[1:])
    assert client.out("inspect", "--format", "{{json .HostConfig.LogConfig}}", name) == '{"Type":"json-file","Config":{"max-file":"3","max-size":"100k"}}'


def test_who_follows_a_log_misses_nothing_when_files_change(client, box, name):
    client("create", "--name", name, *NONE, "--log-opt", "max-size=20k", "--log-opt", "max-file=200", box, "sh", "-c", f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done")
    client("start", name)
    assert client.out("logs", "-f", name).split() == [str(number) for number in range(1, LINES + 1)]


@pytest.mark.parametrize("driver", ["json-file", "local"])
def test_a_compressed_log_is_read_across_its_files(client, box, name, driver):
    client("run", "--name", name, *NONE, "--log-driver", driver, "--log-opt", "compress=true", "--log-opt", "max-size=100k", "--log-opt", "max-file=4", box, "seq", LINES)
    said = client.out("logs", name).split()
    assert said == [str(number) for number in range(int(said[0]), LINES + 1)] and 1 < int(said[0]) < LINES
    for count in (1, 3000, 6000, 100_000):
        assert client.out("logs", "-n", count, name).split() == said[-count:]
    path = log_path(client, name)
    assert sorted(each.name.removeprefix(path.name) for each in path.parent.glob("*-json.log*")) == ["", ".1.gz", ".2.gz", ".3.gz"]
    with gzip.open(f"{path}.1.gz") as file:
        assert all(json.loads(line)["stream"] == "stdout" for line in file)
    client("start", "-a", name)
    assert client.out("logs", "-n", 1, name) == str(LINES)


def log_path(client, name):
    id = client.out("inspect", "--format", "{{.Id}}", name)
    return client.daemon.base / "root/containers" / id / f"{id}-json.log"


def test_who_follows_a_compressed_log_misses_nothing_and_sees_nothing_twice(client, box, name):
    command = f"i=0; while [ $i -lt {LINES} ]; do i=$((i+1)); echo $i; done"
    client("create", "--name", name, *NONE, "--log-opt", "compress=true", "--log-opt", "max-size=20k", "--log-opt", "max-file=200", box, "sh", "-c", command)
    client("start", name)
    assert client.out("logs", "-f", name).split() == [str(number) for number in range(1, LINES + 1)]


def test_the_local_driver_and_none(client, box, name):
    client("run", "--name", name, *NONE, "--log-driver", "local", "--log-opt", "max-size=1m", box, "echo", "kept")
    assert client.out("logs", name) == "kept" and client.out("inspect", "--format", "{{.LogPath}}", name) == ""
    client("rm", name)
    client("run", "--name", name, *NONE, "--log-driver", "none", box, "echo", "gone")
    assert "configured logging driver does not support reading" in client("logs", name, status=1).stderr


def test_details_by_pattern(client, box, name):
    client(
        "run", "--name", name, *NONE, "--log-opt", "labels-regex=^a", "--log-opt", "env-regex=B$", "--log-opt", "tag={{.ImageID}}", "-l", "ab=1", "-l", "ba=1", "-e", "XB=2", "-e", "BX=3",
        box, "echo", "hi")
    image = client.out("inspect", "--format", "{{.Image}}", name)
    assert client.out("logs", "--details", name) == f"XB=2,ab=1,tag={image[:12].replace(':', '%3A')} hi"


def test_details(client, box, name):
    client(
        "run", "--name", name, *NONE, "--log-opt", "labels=a,missing", "--log-opt", "env=B", "--log-opt", "tag={{.Name}}/x y", "-l", "a=1 &", "-e", "B=two", box, "echo", "hi")
    assert client.out("logs", "--details", name) == f"B=two,a=1+%26,tag={name}%2Fx+y hi"
    assert client.out("logs", name) == "hi"
    assert re.fullmatch(r"\d{4}-\S+Z B=two,a=1\+%26,tag=\S+ hi", client.out("logs", "--details", "-t", name))


@pytest.mark.parametrize("options, expected", [
    (["wrong=1"], "unknown log opt 'wrong' for json-file log driver"), (["max-file=0"], "max-file cannot be less than 1"),
    (["max-size=0"], "max-size must be a positive number"), (["max-size=x"], "invalid size: 'x'"), (["compress=x"], "invalid syntax"),
    (["compress=true", "max-file=1"], "compress cannot be true when max-file is less than 2 or max-size is not set"), (["labels-regex=("], "error parsing regexp"),
    (["mode=bad"], "logger: logging mode not supported: bad"), (["tag={{.Nope}}"], "Nope"),
])
def test_log_options_that_cannot_be(client, box, name, options, expected):
    words = [word for option in options for word in ("--log-opt", option)]
    assert expected in client("create", "--name", name, *NONE, *words, box, "true", status=1 if not client.is_berth else None).stderr


# What only berth has.

@pytest.fixture
def berth(client):
    if not client.is_berth:
        pytest.skip("a command of berth's own")
    return client


def test_why(berth, box, name):
    berth("run", "-d", "--name", name, *NONE, box, "sh", "-c", "echo last words; sh -c 'kill -SEGV $$'; exit $?")
    berth("wait", name)
    said = berth.out("why", name)
    assert said.startswith(f"{name} has ended with exit code 139: SIGSEGV ended it: the program used memory that is not its own.")
    assert "Command   sh -c 'echo last words; sh -c " in said and "\n  last words" in said
    for moment in ("Created   2", "Started   2", "Ended     2"):
        assert f"\n{moment}" in said
    assert "last words" not in berth.out("why", "-n", "0", name).split("Command")[1].split("\n", 1)[1]
    berth("start", name)


def test_why_a_command_was_not_found(berth, box, name):
    berth("create", "--name", name, *NONE, "-e", "PATH=/usr/nowhere", box, "bash")
    assert "has never been started" in berth.out("why", name)
    berth("start", name, status=1)
    said = berth.out("why", name)
    assert f"{name} could not be started." in said and 'exec: "bash": executable file not found in $PATH' in said
    assert "'bash' was looked for in /usr/nowhere." in said and "What is there: /bin/sh" in said
    assert "No such container" in berth("why", "nobody", status=1).stderr


def test_why_out_of_memory(berth, box, name):
    berth("run", "--name", name, *NONE, "-m", "16m", "--memory-swap", "16m", box, "sh", "-c", "x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done", status=137)
    said = berth.out("why", name)
    assert "the kernel killed it for want of memory" in said and "16777216 bytes of --memory" in said


def test_a_container_is_made_again_by_what_inspect_says(berth, box, name, tmp_path):
    again = f"{name}-again"
    berth(
        "create", "--name", name, "--hostname", "h", "-e", "A=b c", "-l", "x=it's", "-v", f"{tmp_path}:/data:ro", "--mount", f"type=bind,src={tmp_path},dst=/m,readonly",
        "-m", "64m", "--cpus", "0.5", "--pids-limit", "100", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN", "--read-only", "-u", "1000", "-w", "/tmp",
        "--stop-signal", "USR1", "--stop-timeout", "3", "--log-opt", "max-size=1m", "--ulimit", "nofile=100:200", "--shm-size", "1m", "-p", "127.0.0.1:18080:80", "-p", "81/udp",
        "-it", "--dns", "9.9.9.9", "--add-host", "a:1.2.3.4", "--security-opt", "no-new-privileges", box, "sh", "-c", "echo 'x y'")
    line = berth.out("inspect", "--as", "run", name)
    assert line.startswith("berth run ") and berth.out("container", "inspect", "--as", "run", name) == line
    made = subprocess.run(
        ["sh", "-c", line.replace("berth run", f"{berth.program} create", 1).replace(f"--name {name}", f"--name {again}").replace(" -d ", " ")],
        capture_output=True, text=True, env=berth.environment)
    assert made.returncode == 0, (line, made.stderr)
    first, second = (json.loads(berth.out("inspect", each))[0] for each in (name, again))
    berth("rm", again)
    for part in ("Config", "HostConfig", "Mounts", "Path", "Args", "Image"):
        assert first[part] == second[part]
    assert "is not a valid value for --as" in berth("inspect", "--as", "poem", name, status=1).stderr


def test_a_shell_in_the_place_of_a_service_is_pointed_out(berth, busybox_tar, name):
    berth("import", "--change", 'CMD ["httpd", "-f"]', "--change", "EXPOSE 80", busybox_tar, "service:latest")
    done = berth("run", "--rm", *NONE, "service", "sh", "-c", "true")
    assert "WARNING: 'httpd', which image service is made for, is not run: 'sh' takes its place." in done.stderr
    assert not berth("run", "--rm", *NONE, "service", "true").stderr and not berth("run", "--rm", *NONE, "--entrypoint", "sh", "service", "-c", "true").stderr
    berth("rmi", "service")
