# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A FreeRADIUS that knows thousands of subscribers by two rules instead of a list: the
# realm says how one is authenticated, the number in the name what it is given. What it
# was asked and told is in two detail files, which are the judge of the proofs of scale.
import contextlib
import datetime
import pathlib
import shutil
import subprocess

from lab import INTERNET, wait_for
from radius import SECRET

TOP = pathlib.Path(__file__).resolve().parents[2]
PORT = 18140  # accounting is the next one
RATES = (50_000_000, 100_000_000)

RADIUSD = """
prefix = /usr
raddbdir = {folder}
libdir = /usr/lib/freeradius
logdir = {folder}
run_dir = {folder}
pidfile = {folder}/pid
max_request_time = 30
cleanup_delay = 5
max_requests = 131072
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
    max_servers = 2
    min_spare_servers = 1
    max_spare_servers = 2
    max_queue_size = 65536
    max_requests_per_server = 0
}}
modules {{
    pap {{
    }}
    chap {{
    }}
    mschap {{
    }}
    expr {{
    }}
    detail asked {{
        filename = {folder}/asked
        permissions = 0644
    }}
    detail told {{
        filename = {folder}/told
        log_packet_header = yes
        permissions = 0644
    }}
}}
client lab {{
    ipaddr = 0.0.0.0/0
    secret = "{secret}"
    require_message_authenticator = yes
}}
server scale {{
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
    authorize {{
        asked
        if (&User-Name =~ /^user([0-9]+)@pppoe$/) {{
            update control {{
                &Cleartext-Password := "password%{{1}}"
            }}
            update reply {{
                &Framed-IP-Address := "{first}.%{{expr:(%{{1}} + 16) / 256}}.%{{expr:(%{{1}} + 16) %% 256}}"
                &Class := "subscriber %{{1}}"
            }}
        }}
        elsif (&User-Name =~ /@ipoe$/) {{
            update control {{
                &Auth-Type := Accept
            }}
            update reply {{
                &Class := "%{{User-Name}}"
            }}
        }}
        else {{
            update control {{
                &Auth-Type := Reject
            }}
        }}
        update reply {{
            &Acct-Interim-Interval := {interim}
            &Session-Timeout := 86400
            &Holdfast-Rate-Up := {up}
            &Holdfast-Rate-Down := {down}
        }}
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
    accounting {{
        told
    }}
}}
"""
SIGN = "update reply {\n            &Message-Authenticator := 0x00\n        }"


class FreeRadius:
    """Started and stopped as a test wants; its files go on."""

    def __init__(self, lab, interim=60):
        self.lab, self.process = lab, None
        self.folder = lab.directory / "freeradius"
        self.folder.mkdir()
        shutil.copy(TOP / "packaging/radius/dictionary.holdfast", self.folder)
        (self.folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n$INCLUDE dictionary.holdfast\n")
        (self.folder / "radiusd.conf").write_text(RADIUSD.format(
            folder=self.folder, secret=SECRET, address=INTERNET, port=PORT, acct_port=PORT + 1, first="10.64", interim=interim,
            up=RATES[0], down=RATES[1], sign=SIGN))

    def start(self):
        log = self.lab.directory / "freeradius.log"
        log.unlink(missing_ok=True)
        self.process = self.lab.start(self.lab.internet, "freeradius", "-f", "-d", self.folder, "-D", self.folder, "-l",
                                      "stdout", log="freeradius.log")
        wait_for("FreeRADIUS", self.ready)

    def ready(self):
        said = self.lab.log("freeradius")
        if self.process.poll() is not None:
            raise RuntimeError(f"FreeRADIUS ended: {said}")
        return "Ready to process" in said

    def stop(self):
        with contextlib.suppress(subprocess.TimeoutExpired):  # it may hang at its own end; it is killed then
            self.lab.stop(self.process, timeout=5)

    def asked(self):
        """Access-Requests, in order of arrival."""
        return records(self.folder / "asked")

    def told(self):
        """Accounting-Requests, in order of arrival."""
        return records(self.folder / "told")


def records(path):
    """Of a detail file: attributes of each request; `time` is when it came, in seconds."""
    found = []
    for text in path.read_text().split("\n\n")[:-1] if path.exists() else []:  # whole ones
        lines = text.splitlines()
        record = dict(line.strip().replace('"', "").split(" = ", 1) for line in lines[1:])
        record["time"] = datetime.datetime.strptime(lines[0], "%a %b %d %H:%M:%S %Y").timestamp()
        found.append(record)
    return found


def octets(record, direction):
    """The 64-bit counter of a record, `direction` Input or Output."""
    return (int(record.get(f"Acct-{direction}-Gigawords", 0)) << 32) + int(record[f"Acct-{direction}-Octets"])


def configure(lab, rate=20000):
    """What the gateway must know of it."""
    for name in ("dictionary", "dictionary.holdfast"):  # where user bng can read them
        (lab.directory / name).write_text((TOP / "packaging/radius" / name).read_text())
    lab.config["radius"] = {
        "servers": [{"name": "scale", "address": INTERNET, "port": PORT, "acct_port": PORT + 1, "secret": SECRET,
                     "timeout_ms": 1000, "retries": 2}],
        "nas_identifier": "bng-test", "nas_address": "198.51.100.1", "dictionary": str(lab.directory / "dictionary"),
        "dead_seconds": 2, "rate": rate, "burst": 2000, "queue": 65536, "ports": 16}
