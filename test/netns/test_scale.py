# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# A full gateway: controld restarts over 100,000 sessions and 1,000,000 mappings
# and adopts every one of them unchanged.
import time

import pytest

from lab import Lab, default_config
from meter import Meter, add_sessions, faults

SESSIONS = 100_000
MAPPINGS = 1_000_000


@pytest.fixture
def lab():
    config = default_config()
    config["sizes"] = {"subscribers": 262144, "public_addresses": 128, "port_blocks": 131072, "exempt": 1024}
    config["cgnat"]["pools"][0] = {"name": "default", "prefixes": ["203.0.112.0/25"], "block_size": 64,
                                   "blocks_per_subscriber": 4, "mappings_per_subscriber": 256,
                                   "timeouts": {"udp": 3600}}
    with Lab(config) as lab:
        lab.start_daemons()
        yield lab


def test_restart_adopts_a_million_mappings(lab):
    lab.ip(lab.internet, "route add 203.0.112.0/25 via 198.51.100.1")
    add_sessions(lab, SESSIONS)
    with Meter(lab, SESSIONS, MAPPINGS) as meter:
        primed = meter.prime()
        assert faults(primed) == {} and primed["mappings"]["count"] == MAPPINGS
        before = lab.digest()
        assert before["sessions"]["count"] == SESSIONS and before["mappings"]["count"] == MAPPINGS
        meter.start("both", rate=200_000)
        assert lab.stop(lab.controld) == 0
        begin = time.monotonic()
        lab.start_controld()
        took = time.monotonic() - begin
        adopted = lab.call("status")["start"]["adopted"]
        assert (adopted["sessions"], adopted["mappings"]) == (SESSIONS, MAPPINGS)
        assert faults(meter.stop()) == {}
        assert lab.digest() == before
    print(f"\n{SESSIONS} sessions, {MAPPINGS} mappings adopted in {took:.2f} s (with sanitizers)")
