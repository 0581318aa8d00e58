# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A client of the two sockets (docs/protocol.md): one JSON object per line,
# descriptors with the line that names them. With BNG_RPC_TRACE set, every
# request and its reply is appended there; a test validates them against the
# schemas at the end of the run.
import array
import collections
import json
import os
import socket

FDS_MAX = 64


class RpcError(Exception):
    def __init__(self, method, error):
        super().__init__(f"{method}: {error.get('message')} ({error.get('code')})")
        self.code = error.get("code")
        self.message = error.get("message")
        self.data = error.get("data")


class RpcClient:
    def __init__(self, path, timeout=60):
        self.server = os.path.basename(str(path)).removesuffix(".sock")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(str(path))
        self.buffer = b""
        self.received_fds = []
        self.notifications = collections.deque()
        self.last_id = 0

    def close(self):
        self.socket.close()
        for fd in self.received_fds:
            os.close(fd)
        self.received_fds = []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def _read_line(self):
        while b"\n" not in self.buffer:
            data, ancillary, _, _ = self.socket.recvmsg(1 << 18, socket.CMSG_SPACE(4 * FDS_MAX))
            for level, kind, payload in ancillary:
                if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                    self.received_fds += array.array("i", payload[:len(payload) - len(payload) % 4])
            if not data:
                raise ConnectionError(f"{self.server} closed the connection")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def send(self, request, fds=()):
        """A request object as it is."""
        line = json.dumps(request).encode() + b"\n"
        if fds:
            sent = socket.send_fds(self.socket, [line], list(fds))
            line = line[sent:]
        self.socket.sendall(line)

    def receive(self, request):
        """The reply object to it."""
        while True:
            reply = self._read_line()
            if "method" not in reply:
                break
            self.notifications.append(reply)
        trace({"server": self.server, "request": request, "reply": reply})
        return reply

    def exchange(self, request, fds=()):
        """Sends a request object as it is and returns the reply object."""
        self.send(request, fds)
        return self.receive(request)

    def begin(self, method, params=None, fds=()):
        """Sends the request and does not wait for its reply, which is for `end`."""
        self.last_id += 1
        request = {"jsonrpc": "2.0", "id": self.last_id, "method": method}
        if params is not None:
            request["params"] = params
        self.send(request, fds)
        return request

    def end(self, request):
        reply = self.receive(request)
        if "error" in reply:
            raise RpcError(request["method"], reply["error"])
        return reply["result"]

    def call(self, method, params=None, fds=()):
        return self.end(self.begin(method, params, fds))

    def send_all(self, calls):
        """Requests (method, params) without waiting; the replies come in any order by next_reply."""
        lines = []
        for method, params in calls:
            self.last_id += 1
            lines.append(json.dumps({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}) + "\n")
        self.socket.sendall("".join(lines).encode())

    def next_reply(self):
        return self._read_line()

    def call_fds(self, method, params=None):
        """As call, for methods that answer with descriptors: (result, list of descriptors)."""
        result = self.call(method, params)
        fds, self.received_fds = self.received_fds, []
        return result, fds

    def next_notification(self, timeout):
        """The next notification, or None when none came in time."""
        if self.notifications:
            return self.notifications.popleft()
        before = self.socket.gettimeout()
        self.socket.settimeout(timeout)
        try:
            return self._read_line()
        except TimeoutError:
            return None
        finally:
            self.socket.settimeout(before)


def trace(entry):
    path = os.environ.get("BNG_RPC_TRACE")
    if path:
        line = json.dumps(entry).encode() + b"\n"
        with open(path, "ab", buffering=0) as file:  # whole lines: other suites append, too
            assert file.write(line) == len(line)
