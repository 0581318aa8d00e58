# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The data plane's ABI as Python sees it, read from BTF when this is imported:
# structs by name (abi.bng_subscriber), enumerators and constants without prefix
# (abi.MAPPING_UDP, abi.TICK_SHIFT), verdicts by number.
import os
import pathlib

from btf import Btf

BUILD = pathlib.Path(os.environ["BNG_BUILD"])
OBJECT = BUILD / "bpf" / "bng.bpf.o"

_headers = Btf(BUILD / "bpf" / "abi_types.bpf.o")
_object = Btf(OBJECT)

STRUCTS = {**_headers.structs, **_object.structs}
# The same struct in both, laid out differently: one of the files is stale.
STALE = [name for name in _object.structs if name in _headers.structs and _object.layout(name) != _headers.layout(name)]
assert not STALE, f"{OBJECT} and the headers disagree about {STALE}: build again"
globals().update(STRUCTS)

ENUMERATORS = {}
for _values in _headers.enums.values():
    for _name, _value in _values.items():
        ENUMERATORS[_name.removeprefix("constant_").removeprefix("BNG_")] = _value
globals().update(ENUMERATORS)

VERDICT_COUNT = ENUMERATORS["VERDICT_COUNT"]
VERDICTS = [None] * VERDICT_COUNT
for _name, _value in _headers.enums["bng_verdict"].items():
    if _value < VERDICT_COUNT:
        VERDICTS[_value] = _name.removeprefix("BNG_")

XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = 1, 2, 3, 4


def ticks(seconds):
    """As BNG_TICKS_OF_SECONDS: rounded up."""
    return -(-int(seconds * 1_000_000_000) // (1 << ENUMERATORS["TICK_SHIFT"]))
