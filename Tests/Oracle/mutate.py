#!/usr/bin/python3
"""mutate.py SEED DIRECTORY: changes a tree of files at random, as programs in a container do; the same for the same seed.

Removes, makes anew, renames, links across directories, writes, shortens, and changes kinds, owners, modes, times and attributes.
"""
import os
import random
import shutil
import stat
import sys

chance = random.Random(int(sys.argv[1]))
root = os.fsencode(sys.argv[2])


def walk(wanted):
    found = []
    for directory, directories, files in os.walk(root):
        directories.sort()
        for name in sorted(directories + files):
            path = os.path.join(directory, name)
            if wanted(os.lstat(path).st_mode):
                found.append(path)
    return found


def pick(wanted):
    found = walk(wanted)
    return chance.choice(found) if found else None


def any_kind(_):
    return True


def not_directory(mode):
    return not stat.S_ISDIR(mode)


def name():
    if chance.random() < 0.2:
        return bytes(chance.choice([c for c in range(1, 256) if c not in (46, 47)]) for _ in range(chance.randint(3, 12)))
    return bytes(chance.choice(b"abcdefgh-_ 0123") for _ in range(chance.choice([1, 3, 9, 101, 200])))


def free_path():
    path = os.path.join(pick(stat.S_ISDIR) if chance.random() < 0.8 and pick(stat.S_ISDIR) else root, name())
    return None if os.path.lexists(path) or len(path) - len(root) > 1500 else path


def remove(path):
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def write(path):
    with open(path, "wb") as file:
        file.write(chance.randbytes(chance.choice([0, 1, 511, 512, 5000, 70000])))


def make(path):
    kind = chance.choice(["file", "file", "directory", "link", "fifo", "device"])
    if kind == "file":
        write(path)
    elif kind == "directory":
        os.mkdir(path)
        for _ in range(chance.randint(0, 3)):
            inside = os.path.join(path, name())
            if not os.path.lexists(inside):
                write(inside)
    elif kind == "link":
        os.symlink(name(), path)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(chance.randint(1, 4095), chance.randint(0, 1 << 19)))


def step():
    what = chance.choice(["remove", "make", "make", "kind", "again", "rename", "link", "write", "write", "shorten", "owner", "mode", "time", "attribute"])
    if what == "make":
        path = free_path()
        if path:
            make(path)
    elif what == "remove":
        path = pick(any_kind)
        if path:
            remove(path)
    elif what == "kind":
        path = pick(any_kind)
        if path:
            remove(path)
            make(path)
    elif what == "again":
        path = pick(stat.S_ISDIR)
        if path:
            # What was in it shows through, unless the directory says that it does not.
            remains = [n for n in sorted(os.listdir(path)) if chance.random() < 0.3 and os.path.isfile(os.path.join(path, n)) and not os.path.islink(os.path.join(path, n))]
            remove(path)
            os.mkdir(path)
            for remaining in remains:
                write(os.path.join(path, remaining))
    elif what == "rename":
        path, target = pick(any_kind), free_path()
        if path and target and not (target + b"/").startswith(path + b"/"):
            try:
                os.rename(path, target)
            except OSError:
                # An overlay does not rename directories of the image: programs copy them then.
                if stat.S_ISDIR(os.lstat(path).st_mode):
                    shutil.copytree(path, target, symlinks=True, ignore=lambda d, names: [n for n in names if not os.path.isfile(os.path.join(d, n))])
                    shutil.rmtree(path)
    elif what == "link":
        path, target = pick(not_directory), free_path()
        if path and target:
            os.link(path, target, follow_symlinks=False)
    elif what in ("write", "shorten"):
        path = pick(stat.S_ISREG)
        if path and what == "write":
            with open(path, "ab") as file:
                file.write(chance.randbytes(chance.randint(1, 3000)))
        elif path:
            os.truncate(path, os.path.getsize(path) // 2)
    elif what == "owner":
        path = pick(any_kind)
        if path:
            os.chown(path, chance.choice([0, 1000, 70000]), chance.choice([0, 5, 4000000]), follow_symlinks=False)
    elif what == "mode":
        path = pick(lambda mode: not stat.S_ISLNK(mode))
        if path:
            os.chmod(path, chance.choice([0o755, 0o644, 0o4755, 0o2711, 0o1777, 0o000]))
    elif what == "time":
        path = pick(any_kind)
        if path:
            time = chance.choice([1_000_000_001, 1_700_000_000_123_456_789, -86_400_000_000_000, 4_400_000_000 * 10**9 + 7])
            os.utime(path, ns=(time, time), follow_symlinks=False)
    else:
        path = pick(lambda mode: stat.S_ISREG(mode) or stat.S_ISDIR(mode))
        if path:
            if "user.note" in os.listxattr(path) and chance.random() < 0.5:
                os.removexattr(path, "user.note")
            else:
                os.setxattr(path, "user.note", chance.randbytes(chance.randint(0, 100)))


for _ in range(chance.randint(5, 40)):
    step()
