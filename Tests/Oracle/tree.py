#!/usr/bin/python3
"""Looks at trees of files, and makes them, for tests that compare what was unpacked with what other tools unpack.

tree.py list DIRECTORY          every file with all its metadata, a line each
tree.py dense DIRECTORY         the same, where holes are zeros like any
tree.py random SEED DIRECTORY   a tree of every kind of file, the same for the same seed
tree.py plain SEED DIRECTORY    the same with names, numbers and times that the oldest formats have room for
"""
import collections
import hashlib
import os
import random
import stat
import sys


def listing(root, contents):
    names = {}
    lines = []
    found = sorted(walk(root))
    # Not by the count of links: where an overlay's upper layer has replaced one of two names, that of the other one stays.
    several = {inode for inode, count in collections.Counter(status.st_ino for _, status in found).items() if count > 1}
    for path, status in found:
        shown = os.path.relpath(path, root)
        kind = stat.S_IFMT(status.st_mode)
        facts = [repr(shown)[1:], oct(status.st_mode), f"{status.st_uid}:{status.st_gid}", f"{status.st_mtime_ns}"]
        if kind == stat.S_IFREG:
            data, holes = contents(path)
            facts += [str(status.st_size), data, holes]
        if kind == stat.S_IFLNK:
            facts.append(repr(os.readlink(path)))
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            facts.append(f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}")
        if kind != stat.S_IFDIR and status.st_ino in several:
            facts.append("same as " + names.setdefault(status.st_ino, repr(shown)))
        for name in sorted(os.listxattr(path, follow_symlinks=False)):
            facts.append(f"{name}={os.getxattr(path, name, follow_symlinks=False).hex()}")
        lines.append(" ".join(facts))
    return lines


def walk(root):
    """Everything below a directory, and it, without paths longer than the kernel takes."""
    yield root, os.lstat(root)
    waiting = [root]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            status = entry.stat(follow_symlinks=False)
            yield entry.path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append(entry.path)


def dense(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16], "dense"


def contents(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        position, data = 0, 0
        while position < size:
            try:
                begin = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:
                break
            position = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
            os.lseek(file.fileno(), begin, os.SEEK_SET)
            left = position - begin
            while left:
                piece = os.read(file.fileno(), min(left, 1 << 20))
                # Zeros and holes are the same to a reader, and not to a disk: where data begins tells both.
                if piece.strip(b"\0"):
                    digest.update(b"%d " % (position - left) + piece.rstrip(b"\0"))
                left -= len(piece)
                data += len(piece)
        sparse = "sparse" if size - data > 1 << 20 else "dense"
        return digest.hexdigest()[:16], sparse


def make(seed, root, plain):
    chance = random.Random(seed)
    os.makedirs(root, exist_ok=True)
    root = os.fsencode(root)
    directories, files = [root], []

    def name():
        if plain:
            return b"%d" % len(files) + bytes(chance.choice(b"abcdefgh.-_") for _ in range(chance.choice([1, 3, 9])))
        if chance.random() < 0.15:
            return bytes(chance.choice([c for c in range(1, 256) if c != 47]) for _ in range(chance.randint(3, 12)))
        return bytes(chance.choice(b"abcdefgh.-_ 0123") for _ in range(chance.choice([1, 3, 9, 40, 99, 101, 200]))) + b"%d" % len(files)

    for _ in range(chance.randint(20, 60)):
        path = os.path.join(chance.choice(directories), name())
        if os.path.lexists(path) or os.path.basename(path).startswith(b".wh.") or len(path) - len(root) > (90 if plain else 1500):
            continue
        kind = chance.choice(["file", "file", "file", "directory", "directory", "link", "hard", "fifo", "device", "sparse"])
        if kind == "file":
            with open(path, "wb") as file:
                file.write(chance.randbytes(chance.choice([0, 1, 511, 512, 513, 4096, 70000])))
        elif kind == "sparse":
            with open(path, "wb") as file:
                for _ in range(chance.randint(0, 6)):
                    file.seek(chance.randint(0, 40 << 20))
                    file.write(chance.randbytes(chance.randint(1, 9000)))
                file.truncate(max(file.tell(), 4 << 20) + chance.randint(0, 9 << 20))
        elif kind == "directory":
            os.mkdir(path)
            directories.append(path)
        elif kind == "link":
            os.symlink(chance.choice([b"../" * 9 + b"etc/passwd", b"/absolute", name() * 3, b"."]), path)
        elif kind == "hard":
            if not files:
                continue
            os.link(chance.choice(files), path, follow_symlinks=False)
            continue
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "device":
            block = chance.random() < 0.5
            number = os.makedev(chance.randint(1, 4095), chance.randint(0, 1 << 19))
            os.mknod(path, (stat.S_IFBLK if block else stat.S_IFCHR) | 0o600, number)
        if kind != "directory":
            files.append(path)
        os.chown(path, chance.choice([0, 1000, 70000]), chance.choice([0, 5, 70001 if plain else 4000000]), follow_symlinks=False)
        if kind != "link":
            os.chmod(path, chance.choice([0o755, 0o644, 0o4755, 0o2711, 0o1777, 0o000]))
        if kind in ("file", "directory") and chance.random() < 0.3:
            os.setxattr(path, "user.note", chance.randbytes(chance.randint(0, 200)))
        if kind == "file" and chance.random() < 0.2:
            os.setxattr(path, "security.capability", bytes.fromhex("0100000200200000000000000000000000000000"))
    for path in files + directories[::-1]:
        time = chance.choice([0, 1_000_000_001, 1_700_000_000_123_456_789] + ([] if plain else [-86_400_000_000_000, 4_400_000_000 * 10**9 + 7]))
        os.utime(path, ns=(time, time), follow_symlinks=False)


if __name__ == "__main__":
    if sys.argv[1] in ("list", "dense"):
        for line in listing(os.fsencode(sys.argv[2]), contents if sys.argv[1] == "list" else dense):
            print(line)
    elif sys.argv[1] in ("random", "plain"):
        make(int(sys.argv[2]), sys.argv[3], sys.argv[1] == "plain")
    else:
        sys.exit(__doc__)
