"""A Unix socket that passes everything on to another one and keeps what was said, so that every answer can be checked."""
import os
import socket
import threading

LIMIT = 8 << 20


class Recorder:
    def __init__(self, path, upstream):
        self.path, self.upstream = path, upstream
        self.conversations = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.upstream)
            except OSError:
                client.close()
                continue
            said = (bytearray(), bytearray())
            self.conversations.append(said)
            for source, sink, record in ((client, server, said[0]), (server, client, said[1])):
                threading.Thread(target=pump, args=(source, sink, record), daemon=True).start()

    def close(self):
        self.listener.close()
        os.unlink(self.path)

    def exchanges(self):
        """(method, target, status, body) of every complete exchange so far, in the order of the connections."""
        result = []
        for asked, answered in list(self.conversations):
            result += parse(bytes(asked), bytes(answered))
        return result


def pump(source, sink, record):
    try:
        while chunk := source.recv(1 << 16):
            if len(record) < LIMIT:
                record += chunk
            sink.sendall(chunk)
    except OSError:
        pass
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def message(data, is_answer, method=None):
    """One HTTP message from the front of data: (first line, headers, body, rest), or None if it is not whole."""
    head, separator, rest = data.partition(b"\r\n\r\n")
    if not separator:
        return None
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if is_answer and (method == "HEAD" or lines[0].split()[1] in ("101", "204", "304")):
        return lines[0], headers, b"", rest
    if headers.get("transfer-encoding") == "chunked":
        body = b""
        while True:
            size, separator, rest = rest.partition(b"\r\n")
            if not separator:
                return None
            length = int(size.split(b";")[0], 16)
            if len(rest) < length + 2:
                return None
            body, rest = body + rest[:length], rest[length + 2:]
            if length == 0:
                return lines[0], headers, body, rest
    if "content-length" in headers:
        length = int(headers["content-length"])
        return (lines[0], headers, rest[:length], rest[length:]) if len(rest) >= length else None
    if is_answer:
        return lines[0], headers, rest, b""
    return lines[0], headers, b"", rest


def parse(asked, answered):
    while asked and answered:
        request = message(asked, False)
        if request is None:
            return
        method, target = request[0].split()[:2]
        answer = message(answered, True, method)
        if answer is None:
            return
        status = int(answer[0].split()[1])
        yield method, target, status, answer[2]
        if status == 101 or answer[1].get("content-type", "").startswith("application/vnd.docker"):
            return
        asked, answered = request[3], answer[3]
