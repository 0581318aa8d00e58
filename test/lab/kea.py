# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A real Kea in the lab's internet, for the subscribers' network.
import json

from lab import EXEMPT, GATEWAY, wait_for

FIRST, LAST, LEASE, SHORTEST = "10.0.50.10", "10.0.50.99", 600, 3  # seconds of a lease


def start_kea(lab):
    """The process, and the file that it keeps its leases in."""
    folder = lab.directory / "kea"
    folder.mkdir()
    settings = {"Dhcp4": {
        "interfaces-config": {"interfaces": ["eth0"], "dhcp-socket-type": "udp", "service-sockets-max-retries": 0},
        "lease-database": {"type": "memfile", "persist": True, "name": str(folder / "leases")},
        "valid-lifetime": LEASE, "min-valid-lifetime": SHORTEST, "multi-threading": {"enable-multi-threading": False},
        "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
        "subnet4": [{"id": 1, "subnet": "10.0.0.0/16", "pools": [{"pool": f"{FIRST} - {LAST}"}],
                     "option-data": [{"name": "routers", "data": GATEWAY}, {"name": "domain-name-servers", "data": EXEMPT}]}]}}
    (folder / "kea.json").write_text(json.dumps(settings))
    environment = {"KEA_PIDFILE_DIR": str(folder), "KEA_LOCKFILE_DIR": str(folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    process = lab.start(lab.internet, "kea-dhcp4", "-c", folder / "kea.json", log="kea.log", env=environment)
    wait_for("Kea", lambda: "DHCP4_STARTED" in lab.log("kea"))
    return process, folder / "leases"


def kea_lease(leases, mac):
    """The last line that Kea wrote for it: (address, lifetime, state)."""
    lines = [line.split(",") for line in leases.read_text().splitlines() if mac in line]
    return (lines[-1][0], int(lines[-1][3]), lines[-1][9]) if lines else None
