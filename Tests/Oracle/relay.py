#!/usr/bin/python3
"""Clients and servers around a relay: relay.py SCENARIO PORT TARGET [HOST,...]

The relay listens at PORT on the hosts (127.0.0.1) and leads to TARGET on 127.0.0.1. A scenario that says a word waits for a line before it goes on.
What it finds wrong it says, and ends with 1. Every wait has a bound.
"""
import hashlib, os, select, socket, struct, sys, threading, time

scenario, port, target = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
hosts = sys.argv[4].split(",") if len(sys.argv) > 4 else ["127.0.0.1"]
BOUND = 50
socket.setdefaulttimeout(BOUND)
failures = []


def listen(backlog=1024):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", target))
    server.listen(backlog)
    return server


def connect(host=None, receive_room=None):
    host = host or hosts[0]
    client = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    if receive_room:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_room)
    client.settimeout(BOUND)
    client.connect((host, port))
    return client


def beside(work, *arguments):
    def run():
        try:
            work(*arguments)
        except Exception as error:  # a thread's failure is the scenario's
            failures.append(f"{work.__name__}: {error!r}")
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def check(what, found, expected):
    if found != expected:
        failures.append(f"{what}: {found!r}, and {expected!r} was expected")


def say(word):
    print(word, flush=True)
    sys.stdin.readline()


def read_all(connection):
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def pieces(seed, total):
    """The same pseudo-random bytes for the same seed."""
    block = hashlib.shake_128(seed).digest(1 << 20)
    for number in range(total >> 20):
        yield struct.pack("<Q", number) + block[8:]


def send_all(connection, seed, total, pause_at=None, pause=None):
    for number, piece in enumerate(pieces(seed, total)):
        if number == pause_at:
            pause()
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)


def expect_all(connection, seed, total, name):
    found, expected, count = hashlib.sha1(), hashlib.sha1(), 0
    while part := connection.recv(1 << 18):
        found.update(part)
        count += len(part)
    for piece in pieces(seed, total):
        expected.update(piece)
    check(f"{name}: bytes", count, total)
    check(f"{name}: digest", found.hexdigest(), expected.hexdigest())


def bulk(total=100 << 20, pause=None):
    """Both ways at once, each with its own end."""
    server = listen()

    def serve():
        connection, _ = server.accept()
        connection.settimeout(BOUND)
        answering = beside(send_all, connection, b"down", total)
        expect_all(connection, b"up", total, "up")
        answering.join()
        connection.close()
    serving = beside(serve)
    client = connect()
    sending = beside(send_all, client, b"up", total, total >> 21, pause or (lambda: None))
    expect_all(client, b"down", total, "down")
    sending.join()
    serving.join()


def paused():
    """In the middle of a transfer this stops until it is told to go on."""
    def pause():
        say("half")
    bulk(total=32 << 20, pause=pause)


def halfclose():
    server = listen()
    client = connect()
    client.sendall(b"request")
    client.shutdown(socket.SHUT_WR)
    connection, _ = server.accept()
    check("the request to its end", read_all(connection), b"request")
    connection.sendall(b"answer")
    connection.close()
    check("the answer after it", read_all(client), b"answer")

    client = connect()
    connection, _ = server.accept()
    connection.sendall(b"greeting")
    connection.shutdown(socket.SHUT_WR)
    check("the greeting to its end", read_all(client), b"greeting")
    client.sendall(b"after")
    client.close()
    check("what came after it", read_all(connection), b"after")


def is_reset(connection):
    try:
        return connection.recv(1) != b"" and "data"
    except ConnectionResetError:
        return True


def broken():
    """What is broken on the one side is broken on the other, and one broken thing leaves others alone."""
    server = listen()
    other = connect()
    other_side, _ = server.accept()
    for breaks_client in (True, False):
        client = connect()
        connection, _ = server.accept()
        client.sendall(b"x")
        check("a byte", connection.recv(1), b"x")
        one, two = (client, connection) if breaks_client else (connection, client)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        check("the other side is broken", is_reset(two), True)
    other.sendall(b"still")
    check("another connection", other_side.recv(5), b"still")


def many(count=500):
    server = listen()
    clients = [connect(hosts[number % len(hosts)]) for number in range(count)]
    sides = [server.accept()[0] for _ in range(count)]
    for number, client in enumerate(clients):
        client.sendall(struct.pack("<I", number) * 1000)
    seen = set()
    for side in sides:
        text = b""
        while len(text) < 4000:
            text += side.recv(4000 - len(text))
        check("one client's bytes together", len(set(struct.unpack("<1000I", text))), 1)
        seen.add(text[:4])
        side.sendall(text[:4])
    check("all of them", len(seen), count)
    for number, client in enumerate(clients):
        check("the right answer", client.recv(4), struct.pack("<I", number))
    say("open")
    for client in clients:
        client.close()
    for side in sides:
        check("its end", side.recv(1), b"")
        side.close()
    say("closed")


def refuse():
    """Nobody listens at the target: the client is told soon. Once somebody does, it works."""
    for _ in range(3):
        before = time.monotonic()
        try:
            check("broken", is_reset(connect()), True)
        except ConnectionResetError:
            pass  # before this side had looked at its connection
        if time.monotonic() - before > 5:
            failures.append("being refused took longer than five seconds")
    server = listen()
    client = connect()
    connection, _ = server.accept()
    connection.sendall(b"now")
    check("somebody listens", client.recv(3), b"now")


def stuck():
    """A client that does not read holds its server back, and nobody else; when it reads, everything comes."""
    server = listen()
    total = 64 << 20
    client = connect(receive_room=1 << 16)
    connection, _ = server.accept()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    block = hashlib.shake_128(b"stuck").digest(1 << 20)
    sent = 0
    connection.setblocking(False)
    while select.select([], [connection], [], 1)[1]:
        sent += connection.send(block[sent % len(block):])
        if sent > 40 << 20:
            break
    if sent > 40 << 20:
        failures.append(f"{sent} bytes were taken for a client that reads nothing")
    other = connect()
    other_side, _ = server.accept()
    other.sendall(b"meanwhile")
    check("another connection", other_side.recv(9), b"meanwhile")
    say("stuck")
    connection.settimeout(BOUND)

    def rest():
        done = sent
        while done < total:
            done += connection.send(block[done % len(block):][:total - done])
        connection.close()
    sending = beside(rest)
    found, count = hashlib.sha1(), 0
    while part := client.recv(1 << 16):
        found.update(part)
        count += len(part)
    expected = hashlib.sha1()
    for _ in range(total >> 20):
        expected.update(block)
    check("bytes", count, total)
    check("digest", found.hexdigest(), expected.hexdigest())
    sending.join()


def tail():
    """A server that sends, ends and is gone: what it sent arrives to its end. `gone` waits for the relay to be closed meanwhile."""
    server = listen()
    client = connect()
    connection, _ = server.accept()
    connection.sendall(b"last words")
    connection.close()
    check("the last words", read_all(client), b"last words")
    client = connect()
    connection, _ = server.accept()
    client.sendall(b"open")
    check("a connection", connection.recv(4), b"open")
    say("open")
    check("the relay's end is the client's", is_reset(client), True)
    check("the relay's end is the server's", is_reset(connection), True)
    try:
        connect()
        failures.append("the port still takes connections")
    except ConnectionRefusedError:
        pass


def echo(server, sources):
    data, source = server.recvfrom(1 << 16)
    sources.append(source)
    server.sendto(b"<" + data + b">", source)


def udp(count=1100):
    """More clients than there may be at one time: each is answered, from the address that it asked."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", target))
    sources = []

    def ask(client, text):
        client.send(text)
        echo(server, sources)
        check("an answer", client.recv(1 << 16), b"<" + text + b">")

    def client(host):
        made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        made.connect((host, port))  # takes answers from that address alone
        return made
    clients = [client(hosts[number % len(hosts)]) for number in range(count)]
    for number, one in enumerate(clients):
        ask(one, b"%d" % number + b"x" * (number * 7 % 3000))
    say("full")
    # The first has given way; it is answered all the same, and the last has kept its socket.
    ask(clients[-1], b"again")
    check("the same socket", sources[-1], sources[count - 1])
    ask(clients[0], b"again")
    check("another socket", sources[-1] != sources[0], True)
    # An empty datagram is one, and so is a large one.
    for text in (b"", b"y" * 60000):
        ask(clients[-1], text)
    # Nobody listens for a while: that does no harm.
    server.close()
    for _ in range(3):
        clients[-1].send(b"nobody")
    clients[-1].settimeout(0.2)
    try:
        check("nothing", clients[-1].recv(100), None)
    except TimeoutError:
        pass
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", target))
    clients[-1].settimeout(BOUND)
    ask(clients[-1], b"somebody")


def flood():
    """Eight connections and a client of datagrams (to the port in the hosts' place), as fast as they can, until they are told to stop."""
    hosts[:], datagrams = ["127.0.0.1"], int(hosts[0])
    server, stop, moved = listen(), threading.Event(), []

    def send(connection):
        block = bytes(1 << 18)
        try:
            while not stop.is_set():
                connection.sendall(block)
        finally:
            connection.close()

    def receive(connection):
        count = 0
        while part := connection.recv(1 << 18):
            count += len(part)
        moved.append(count)

    def shower():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while not stop.is_set():
            client.sendto(bytes(100), ("127.0.0.1", datagrams))
    threads = []
    for _ in range(8):
        threads.append(beside(send, connect()))
        threads.append(beside(receive, server.accept()[0]))
    threads.append(beside(shower))
    say("flooded")
    stop.set()
    for thread in threads:
        thread.join()
    check("connections on which something came", sum(count > 0 for count in moved), 8)


globals()[scenario]()
for failure in failures:
    print("WRONG:", failure)
sys.exit(1 if failures else 0)
