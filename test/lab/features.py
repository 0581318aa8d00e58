# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Features, each as the difference it makes to the gateway's configuration. "all" is
# every one of them at once, with the filtering that the RFCs ask for by default
# (endpoint-independent); "filtered" is all of them with the strictest one, which
# remembers every remote end.
import ipaddress

ALL, FILTERED = "all", "filtered"
EXEMPT_NETWORKS = 1000  # none of them is where the meter sends


def filtering(config, pool, flows, **_):
    pool["filtering"] = "address-and-port-dependent"
    config["sizes"]["flows"] = 1 << (2 * flows).bit_length()


def refresh(pool, **_):
    pool["refresh_inbound"] = True


def rate(pool, **_):
    pool["mapping_rate"] = pool["mapping_burst"] = 1000000


def qos(config, **_):
    """Far above what is sent: every packet is charged, none is dropped."""
    config["qos"] = {"default_up": {"rate": "100G"}, "default_down": {"rate": "100G"}}


def timers(pool, **_):
    pool["timeouts_by_port"] = {"udp/53": 60, "udp/4500": 3600, "tcp/22": 86400}


def pcp(pool, **_):
    pool["pcp"] = {"enabled": True}


def steering(config, **_):
    config["cgnat"]["steering"] = {"mode": "enforce", "interval_seconds": 1}


def exempt(config, directory, **_):
    file = directory / "exempt"
    first = int(ipaddress.ip_address("172.16.0.0"))
    file.write_text("".join(f"{ipaddress.ip_address(first + 256 * i)}/24\n" for i in range(EXEMPT_NETWORKS)))
    file.chmod(0o644)
    config["cgnat"]["exempt_file"] = str(file)


def log(config, directory, **_):
    folder = directory / "log"
    folder.mkdir()
    folder.chmod(0o777)
    config["cgnat"]["log"] = {"file": {"path": str(folder / "blocks")}}


FEATURES = {feature.__name__: feature for feature in (refresh, rate, qos, timers, pcp, steering, exempt, log, filtering)}
SETS = {ALL: [name for name in FEATURES if name != "filtering"], FILTERED: list(FEATURES)}


def kinds(*names):
    """What a case compares: the bound, the gateway with everything off, and with each of these on."""
    return ("bare", "holdfast", *(f"holdfast+{name}" for name in names))


def turn_on(config, name, flows, directory):
    """In the first pool. `flows`: remote ends that will be talked to; `directory`: for files."""
    for feature in SETS.get(name, [name]):
        FEATURES[feature](config=config, pool=config["cgnat"]["pools"][0], flows=flows, directory=directory)
