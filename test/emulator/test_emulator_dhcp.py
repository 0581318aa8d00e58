# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The emulator's DHCP clients against the gateway's server: many come up, send and get
# back every packet, renew, leave; and the emulator sees what is wrong.
import pytest

from lab import LOAD_GATEWAY, Lab, default_config, wait_for
from subscribers import Subscribers, address_key

COUNT = 300


@pytest.fixture(scope="module")
def lab():
    config = default_config()
    config["dhcp4"]["pools"].append({
        "name": "load", "interfaces": ["access1"], "prefix": "10.128.0.0/17", "first": "10.128.0.10",
        "last": "10.128.127.254", "router": LOAD_GATEWAY, "dns": ["192.0.2.1"], "lease_seconds": 3600, "nat_pool": "default"})
    with Lab(config) as lab:
        lab.wire(lab.load, "pass", "up0")
        lab.wire(lab.load, "pass", "down0")
        lab.start_daemons()
        yield lab


def test_hundreds_come_up_and_lose_nothing(lab):
    with Subscribers(lab) as people:
        first = people.add("ipoe", COUNT)
        people.do("set", retry_ms=60000)  # nothing is lost, so nothing has to be said again
        report = people.start(first, COUNT)
        assert (report["up"], report["failed"], report["faults"], report["retransmitted"]) == (COUNT, {}, {}, 0), report
        people.do("traffic", rate=20)
        people.wait("traffic", lambda report: report["traffic"]["sent"] > 10 * COUNT)
        report = people.drain()
        assert report["faults"] == {} and report["traffic"]["lost"] == 0
        assert report["traffic"]["received"] == report["traffic"]["echoed"] == report["traffic"]["sent"]
        assert report["socket"]["dropped"] == 0
        before = [address_key(session) for session in people.sessions()]
        assert len({entry[1] for entry in before}) == COUNT and len({entry[2:4] for entry in before}) == COUNT
        people.do("renew")
        report = people.wait("renewals", lambda report: report["renewed"] == COUNT)
        assert report["faults"] == {} and [address_key(session) for session in people.sessions()] == before
        assert len(lab.sessions()) == COUNT
        people.do("stop")
        assert people.report()["ended"] == {"stopped": COUNT}
    wait_for("the releases", lambda: lab.sessions() == {})
