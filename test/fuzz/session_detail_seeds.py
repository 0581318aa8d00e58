#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/session_detail.
import json
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus" / "session_detail"
PROFILE = {
    "user": "anna%25@isp", "address": "10.0.0.7", "pool": "homes", "nat_pool": "n", "session_timeout_s": 3600,
    "idle_timeout_s": 600, "interim_s": 300, "dns": ["192.0.2.1", "192.0.2.2"],
    "up": {"bits_s": 10000000, "burst_bytes": 150000}, "down": {"bits_s": 100000000000, "burst_bytes": 0},
    "filter": "walled,%FF", "routes": ["198.51.100.0/29"], "class": ["%00a%FF", "", "b"],
    "delegated_prefix": "2001:db8::/48", "max_mappings": 100, "max_blocks": 2,
}
LEAST = {
    "id": "0006b01f835f8a94", "kind": 3, "address": "10.0.1.0", "mac": "02:00:01:00:00:00", "at": [1, 0, 0, 0],
    "opened": 1795291191, "profile": {}, "accounting": {"state": 0, "sequence": 0, "last": 0},
}
WHOLE = dict(LEAST, kind=2, at=[3, 100, 200, 77], profile=PROFILE, user='a"\\%C3%A4', source="alpha", circuit_id="eth 1/1",
             remote_id="%00%01", history=[{"at": 1795291191, "text": "up"}] * 8)
CHANGES = {
    "id_short": {"id": "6b01f835f8a94"}, "id_upper": {"id": "0006B01F835F8A94"}, "id_number": {"id": 1},
    "kind_large": {"kind": 256}, "kind_real": {"kind": 1.5}, "address_bad": {"address": "10.0.1"},
    "mac_bad": {"mac": "02:00:01:00:00"}, "at_short": {"at": [1, 0, 0]}, "at_long": {"at": [1, 0, 0, 0, 0]},
    "at_large": {"at": [65536, 0, 0, 0]}, "opened_negative": {"opened": -1}, "profile_none": {"profile": None},
    "state_large": {"accounting": {"state": 256, "sequence": 0, "last": 0}}, "accounting_part": {"accounting": {"state": 1}},
    "history_long": {"history": [{"at": 1, "text": "x"}] * 9}, "history_text": {"history": ["x"]},
    "history_wide": {"history": [{"at": -1, "text": "x" * 200}, {}]}, "user_bad": {"user": "%G0"}, "user_number": {"user": 7},
    "escaped": {"user": "\u00e4\n", "source": "\t"}, "unknown": {"later": [{"a": [1, {}]}]}, "rate_part": {"profile": {"up": {"bits_s": 1}}},
    "class_long": {"profile": {"class": ["x" * 256]}}, "classes_long": {"profile": {"class": ["x" * 255] * 5}},
    "routes_many": {"profile": {"routes": ["198.51.100.0/29"] * 9}}, "pool_long": {"profile": {"pool": "p" * 32}},
    "timeout_large": {"profile": {"session_timeout_s": 4294967296}}, "prefix_bad": {"profile": {"delegated_prefix": "2001:db8::/129"}},
}

SEEDS = {name: json.dumps(dict(LEAST, **change)) for name, change in CHANGES.items()}
SEEDS.update({f"without_{name}": json.dumps({key: LEAST[key] for key in LEAST if key != name}) for name in LEAST})
SEEDS.update({
    "least": json.dumps(LEAST), "whole": json.dumps(WHOLE), "blanks": json.dumps(WHOLE, indent=1), "empty": "", "array": "[]",
    "cut": json.dumps(WHOLE)[:-1], "behind": json.dumps(LEAST) + "x", "user_twice": json.dumps(WHOLE)[:-1] + ',"user":"b"}',
    "profile_twice": json.dumps(dict(LEAST, profile={"user": "a"})).replace('"user": "a"', '"user": "a", "user": "b"'),
    "name_escaped": json.dumps(LEAST).replace('"kind"', '"k\\u0069nd"'),
})

CORPUS.mkdir(parents=True, exist_ok=True)
for name, seed in SEEDS.items():
    (CORPUS / name).write_text(seed)
