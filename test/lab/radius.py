# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A real FreeRADIUS in the lab's internet, with a configuration of its own, and a server
# written here that answers as the test wants, or not at all.
import hashlib
import hmac
import select
import shutil
import socket
import struct
import threading
import time

import sandbox

SECRET = "lab secret 1812"
SO_RCVBUFFORCE = 33
ACCESS_REQUEST, ACCESS_ACCEPT, ACCESS_REJECT = 1, 2, 3

RADIUSD = """
prefix = /usr
raddbdir = {folder}
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/pid
max_request_time = 30
cleanup_delay = 1
max_requests = 65536
hostname_lookups = no
log {{
    destination = stdout
    auth = no
}}
security {{
    max_attributes = 200
    reject_delay = 0
    status_server = no
}}
thread pool {{
    start_servers = 2
    max_servers = 4
    min_spare_servers = 1
    max_spare_servers = 4
    max_requests_per_server = 0
}}
modules {{
    pap {{
    }}
    chap {{
    }}
    mschap {{
        use_mppe = no
    }}
    files {{
        usersfile = {folder}/users
    }}
    detail {{
        filename = {folder}/detail
        permissions = 0644
    }}
    detail asked {{
        filename = {folder}/asked
        permissions = 0644
        suppress {{
            User-Password
        }}
    }}
}}
client lab {{
    ipaddr = 0.0.0.0/0
    secret = "{secret}"
    require_message_authenticator = yes
}}
{servers}
"""
# The server signs replies only where it is told to.
SERVER = """
server {name} {{
    listen {{
        type = auth
        ipaddr = {address}
        port = {port}
    }}
    listen {{
        type = acct
        ipaddr = {address}
        port = {acct_port}
    }}
    accounting {{
        detail
    }}
    authorize {{
        asked
        files
        chap
        mschap
        pap
    }}
    authenticate {{
        Auth-Type PAP {{
            pap
        }}
        Auth-Type CHAP {{
            chap
        }}
        Auth-Type MS-CHAP {{
            mschap
        }}
    }}
    post-auth {{
        {sign}
        Post-Auth-Type REJECT {{
            {sign}
        }}
    }}
}}
"""
SIGN = "update reply {\nMessage-Authenticator := 0x00\n}"
USERS = """
nemo Cleartext-Password := "arctangent"
\tFramed-IP-Address = 10.0.0.77,
\tSession-Timeout = 3600,
\tReply-Message = "hello nemo",
\tMikrotik-Rate-Limit = "10M/20M",
\tHoldfast-Rate-Up = 10000,
\tHoldfast-NAT-Pool = "default"
long Cleartext-Password := "a password longer than sixteen bytes, and than thirty-two"
"""


def start_freeradius(lab, top, servers, users=""):
    """servers: (name, address, port, signs its replies); users: more of them."""
    folder = lab.directory / "freeradius"
    folder.mkdir(exist_ok=True)
    shutil.copy(top / "packaging/radius/dictionary.holdfast", folder)
    (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n$INCLUDE dictionary.holdfast\n")
    (folder / "users").write_text(USERS + users)
    text = "".join(SERVER.format(name=name, address=address, port=port, acct_port=port + 1, sign=SIGN if signs else "")
                   for name, address, port, signs in servers)
    (folder / "radiusd.conf").write_text(RADIUSD.format(folder=folder, secret=SECRET, servers=text))
    process = lab.start(lab.internet, "freeradius", "-f", "-d", folder, "-D", folder, "-l", "stdout", log="freeradius.log")
    return process


def accounted(lab):
    """What FreeRADIUS was told, in order: attributes of each Accounting-Request, several of a name as a list."""
    return records(lab.directory / "freeradius" / "detail")


def asked(lab):
    """The same of each Access-Request, without its password."""
    return records(lab.directory / "freeradius" / "asked")


def records(path):
    """Of a detail file."""
    found = []
    for text in path.read_text().split("\n\n")[:-1] if path.exists() else []:  # whole ones
        record = {}
        for line in text.splitlines()[1:]:
            name, value = line.strip().split(" = ", 1)
            value = value.strip('"')
            record[name] = record[name] + [value] if isinstance(record.get(name), list) else \
                [record[name], value] if name in record else value
        if record:
            found.append(record)
    return found


class Server:
    """Answers Access-Requests by `decide(user)`: a code, or None for silence. By a thread."""

    def __init__(self, lab, address, port, decide=lambda user: ACCESS_ACCEPT, secret=SECRET):
        with sandbox.entered(lab.internet):
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.bind((address, port))
        self.decide, self.secret = decide, secret.encode()
        self.requests = []  # (time, source port, id, authenticator, user)
        self.held = []      # what was not answered: (packet, sender)
        self.lock = threading.Lock()
        self.ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending:
            if select.select([self.socket], [], [], 0.05)[0]:
                with self.lock:
                    self._serve(*self.socket.recvfrom(4096))

    def _serve(self, packet, sender):
        user = attributes(packet).get(1, b"").decode()
        self.requests.append((time.monotonic(), sender[1], packet[1], packet[4:20], user))
        code = self.decide(user)
        if code is None:
            self.held.append((packet, sender))
        else:
            self.socket.sendto(reply(packet, code, self.secret), sender)

    def answer_held(self, code=ACCESS_ACCEPT):
        """The reply to the last try of each request; how many there were."""
        with self.lock:
            last = {(sender, packet[1]): packet for packet, sender in self.held}
            self.held = []
            for (sender, _), packet in last.items():
                self.socket.sendto(reply(packet, code, self.secret), sender)
        return len(last)

    def end(self):
        self.ending = True
        self.thread.join()
        self.socket.close()


def attributes(packet):
    found, at = {}, 20
    while at + 2 <= len(packet) and packet[at + 1] >= 2:
        found[packet[at]] = packet[at + 2:at + packet[at + 1]]
        at += packet[at + 1]
    return found


def reply(request, code, secret, extra=b""):
    head = struct.pack("!BBH", code, request[1], 20 + 18 + len(extra))
    signed = hmac.digest(secret, head + request[4:20] + b"\x50\x12" + bytes(16) + extra, "md5")
    body = b"\x50\x12" + signed + extra
    return head + hashlib.md5(head + request[4:20] + body + secret).digest() + body
