#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Writes the seeds of corpus/accounting.
import pathlib

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus" / "accounting"
COUNTED = "2a06000000012b0600000002340600000003350600000004"

SEEDS = {
    "start": '00000000000003e8-start\n{"made": 1763743333, "attributes": "01066e656d6f"}',
    "stop": f'00000000000003e8-stop\n{{"made": 1, "attributes": "{COUNTED}"}}',
    "interim": '00000000000003e8-0000000c\n{"made": 0, "attributes": ""}', "on": "0000000000000000-on\n{}",
    "off": "ffffffffffffffff-off\n[]", "no_key": "start\n", "no_sequence": "00000000000003e8-00000000\nnull",
    "upper": "00000000000003E8-start\n{", "odd": '1-start\n{"made": 1, "attributes": "01066"}',
    "short": '1-start\n{"made": 1, "attributes": "0107aa"}', "zero": '1-start\n{"made": 1, "attributes": "0100"}',
    "negative": '1-start\n{"made": -1, "attributes": ""}', "text": '1-start\n{"made": "1", "attributes": "zz"}',
    "long": '1-start\n{"made": 1, "attributes": "' + "0102" * 2000 + '"}', "cut": f'1-stop\n{{"made": 1, "attributes": "{COUNTED[:-2]}"}}',
    "counter_odd": '1-stop\n{"made": 1, "attributes": "2a0301"}', "nothing": "",
}

CORPUS.mkdir(parents=True, exist_ok=True)
for name, seed in SEEDS.items():
    (CORPUS / name).write_text(seed)
