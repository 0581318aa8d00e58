# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# The table of requirements and the page made of it: that names are known before a
# run ends, that the page is not stale, and that a verdict can be bad.
import dataclasses
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import page  # noqa: E402
import requirements  # noqa: E402
import results  # noqa: E402
from results import Case  # noqa: E402

ROW = requirements.Requirement("rfc4787_req1", "4.1", requirements.MUST, "a text")
TEST = Case("test/bpf/test_x.py", "test_rfc4787_req1_x")


def test_every_id_is_there_once():
    ids = [row.id for _, _, rows in requirements.GROUPS for row in rows]
    assert len(ids) == len(set(ids)) == len(requirements.BY_ID)


def test_a_row_has_one_reason_at_most():
    for row in requirements.BY_ID.values():
        assert sum(map(bool, (row.gap, row.outside, row.pending, row.derived))) <= 1, row.id


@pytest.mark.parametrize("name, ids", [
    ("test_rfc4787_req9a_x", ["rfc4787_req9a"]),
    ("test_rfc4787_req9_a_word", ["rfc4787_req9"]),
    ("test_rfc5508_req4abc_rfc4787_req12b_x", ["rfc5508_req4a", "rfc5508_req4b", "rfc5508_req4c", "rfc4787_req12b"]),
    ("rfc7857_s2_2_x", ["rfc7857_s2_2"]),
    ("test_rfc7857_s5_rfc7857_s6_x", ["rfc7857_s5", "rfc7857_s6"]),
    ("test_rfc6887_map_x", ["rfc6887"]),
    ("test_no_requirement", []),
])
def test_what_a_name_lists(name, ids):
    assert results.named(name) == ids


@pytest.mark.parametrize("change, ends, verdict, wrong", [
    ({}, {TEST: True}, "met", False),
    ({"note": "but"}, {TEST: True}, "met: but", False),
    ({}, {}, "**not tested**", True),
    ({}, {TEST: False}, "**not met**: a test failed", True),
    ({"gap": "why"}, {TEST: True}, "**not met**: why", False),
    ({"gap": "why"}, {TEST: False}, "**not met**: a test failed", True),
    ({"outside": "why"}, {}, "not applicable: why", False),
    ({"pending": "why"}, {}, "**not tested**: why", False),
    ({"pending": "why"}, {TEST: True}, "met", False),
])
def test_verdicts(change, ends, verdict, wrong):
    found, problem = page.Proof(ends).verdict(dataclasses.replace(ROW, **change))
    assert (found, bool(problem)) == (verdict, wrong)


def test_an_unknown_requirement_is_a_problem():
    proof = page.Proof({Case("test/bpf/test_x.py", "test_rfc4787_req99_x"): True})
    assert any("test_rfc4787_req99_x names rfc4787_req99" in problem for problem in proof.problems())


def test_a_failed_case_fails_its_function(tmp_path):
    report = tmp_path / "pytest.xml"
    report.write_text('<testsuites><testsuite><testcase classname="test.bpf.test_x" name="test_a[1]"/><testcase '
                      'classname="test.bpf.test_x" name="test_a[2]"><failure/></testcase><testcase '
                      'classname="test.bpf.test_x" name="test_b"/></testsuite></testsuites>')
    assert results.of_pytest(report) == {Case("test/bpf/test_x.py", "test_a"): False, Case("test/bpf/test_x.py", "test_b"): True}


def test_what_is_written_proves_the_page():
    """Before any of them has run: each row has its tests, and the page in the repository lists them."""
    proof = page.read([])
    assert not proof.problems()
    assert not page.differences(page.render(proof)), "stale: make conformance, or test/conformance/page.py --write"
