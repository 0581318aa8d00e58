# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Real sockets in namespaces: a server that says who called, and small clients.
import contextlib
import json
import socket
import threading
import time

import sandbox


class WhoCalled:
    """UDP and TCP on one port of each address: tells each caller the "address port" it is seen as."""

    def __init__(self, namespace, *addresses, port=7000):
        self.ending = False
        self.sockets, self.threads = [], []
        for address in addresses:
            for kind, serve in ((socket.SOCK_DGRAM, self._serve_udp), (socket.SOCK_STREAM, self._serve_tcp)):
                with sandbox.entered(namespace):
                    listener = socket.socket(socket.AF_INET, kind)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((address, port))
                listener.settimeout(0.1)
                if kind == socket.SOCK_STREAM:
                    listener.listen(64)
                self.sockets.append(listener)
                self.threads.append(threading.Thread(target=serve, args=[listener], daemon=True))
        for thread in self.threads:
            thread.start()

    def _serve_udp(self, listener):
        while not self.ending:
            with contextlib.suppress(TimeoutError):
                _, caller = listener.recvfrom(2048)
                listener.sendto("{} {}".format(*caller).encode(), caller)

    def _serve_tcp(self, listener):
        while not self.ending:
            with contextlib.suppress(TimeoutError):
                connection, caller = listener.accept()
                connection.sendall("{} {}\n".format(*caller).encode())
                connection.close()

    def close(self):
        self.ending = True
        for thread in self.threads:
            thread.join()
        for listener in self.sockets:
            listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


def udp_socket(namespace, port=0, address="0.0.0.0"):
    with sandbox.entered(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.bind((address, port))
    client.settimeout(20)
    return client


def ask(client, address, port=7000):
    """(address, port) under which the server sees this socket."""
    client.sendto(b"who", (address, port))
    seen, number = client.recvfrom(2048)[0].decode().split()
    return seen, int(number)


def tcp_ask(namespace, address, port=7000, timeout=20):
    with sandbox.entered(namespace):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    with client:
        client.settimeout(timeout)
        client.connect((address, port))
        seen, number = client.makefile().readline().split()
    return seen, int(number)


class Iperf:
    """iperf3 over TCP from a client to a server in the internet, running in the background."""

    def __init__(self, client, address, seconds, port=5201, reverse=False):
        lab = client.lab
        self.lab = lab
        self.server = lab.start(lab.internet, "iperf3", "-s", "-1", "-p", port, log="iperf-server.log")
        self._wait_listening(port)
        self.report = lab.directory / f"iperf-{client.name}-{port}.json"
        self.report.unlink(missing_ok=True)  # iperf3 appends
        command = ["iperf3", "-c", address, "-p", port, "-t", seconds, "-J", "--logfile", self.report]
        self.client = lab.start(client.namespace, *command, *(["-R"] if reverse else []), log="iperf-client.log")

    def _wait_listening(self, port):
        for _ in range(100):
            if f":{port} " in self.lab.run(self.lab.internet, "ss", "-Hltn").stdout:
                return
            time.sleep(0.05)
        raise TimeoutError("iperf3 -s does not listen")

    def result(self, timeout=120):
        """Bytes received and retransmissions of the sender."""
        status = self.client.wait(timeout)
        report = json.loads(self.report.read_text())
        if status or "error" in report:
            raise RuntimeError(f"iperf3: status {status}: {report.get('error')}")
        return report["end"]["sum_received"]["bytes"], report["end"]["sum_sent"].get("retransmits", 0)
