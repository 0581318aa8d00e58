# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Shared by every Python test: where the harness is, and the order of the run.
# What watched the other tests (the RPC trace) is judged at the end.
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
os.environ.setdefault("BNG_BUILD", str(TOP / "build" / "test"))
sys.path.insert(0, str(TOP / "test" / "lab"))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: "trace" in item.path.name)
