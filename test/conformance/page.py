#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# docs/conformance.md: each requirement (requirements.py), its verdict, and the
# tests that prove it, from the results of a test run. `make conformance` writes it;
# test/run checks that the page in the repository is what its own results make.
# Without results: what it is if every test that is written passes.
import argparse
import difflib
import pathlib
import sys

import requirements
import results

PAGE = results.TOP / "docs" / "conformance.md"
HEAD = """<!-- SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only -->
<!-- Written by `make conformance` from test/conformance/requirements.py and the results of the tests. -->
# What the RFCs ask

{summary}

A requirement is met when every test that names it has passed; `make test` fails when this page does not say what its
results say. The words are ours; the numbers and MUST, SHOULD, MAY are the RFCs'.
"""


class Proof:
    """The tests of a run by requirement, and the verdict on each row."""

    def __init__(self, ends):
        self.ends = ends
        self.tests = {}
        self.unknown = []
        for test in sorted(ends):
            for row in results.named(test.name):
                if row in requirements.BY_ID:
                    self.tests.setdefault(row, []).append(test)
                elif row.split("_")[0] in requirements.RFCS:
                    self.unknown.append((test, row))

    def verdict(self, row):
        """(what the page says, what is wrong or "")."""
        failed = [test for test in self.tests.get(row.id, []) if not self.ends[test]]
        if failed:
            return "**not met**: a test failed", f"{row.id}: {failed[0].file}::{failed[0].name} did not pass"
        if row.gap:
            return f"**not met**: {row.gap}", ""
        if row.outside:
            return f"not applicable: {row.outside}", ""
        if row.derived:
            return self._derived(row), ""
        if row.id in self.tests:
            return f"met: {row.note}" if row.note else "met", ""
        if row.pending:
            return f"**not tested**: {row.pending}", ""
        return "**not tested**", f"{row.id}: no test names it, and requirements.py gives no reason"

    def _derived(self, row):
        unmet = [other.id for other in requirements.BY_ID.values() if other.id.split("_")[0] in row.derived
                 and other.level == requirements.MUST and self.verdict(other)[0].startswith("**")]
        return f"**not met**: {', '.join(unmet)}" if unmet else "met: each MUST below is"

    def problems(self):
        """What makes the run fail, one line each."""
        lines = [self.verdict(row)[1] for row in requirements.BY_ID.values()]
        lines += [f"{test.file}::{test.name} names {row}, which requirements.py does not know" for test, row in self.unknown]
        return [line for line in lines if line]


def cell(text):
    return text.replace("|", "\\|")


def line(proof, row):
    number = " ".join(part for part in (row.label, f"({row.section})" if row.label else row.section) if part)
    tests = "<br>".join(f"[{test.name}](../{test.file})" for test in proof.tests.get(row.id, []))
    return f"| {number} | {row.level} | {cell(row.text)} | {cell(proof.verdict(row)[0])} | {tests} |"


def summary(proof):
    verdicts = [proof.verdict(row)[0] for row in requirements.BY_ID.values()]
    counts = [(sum(verdict.startswith(start) for verdict in verdicts), name) for start, name in
              (("met", "met"), ("**not met", "not met"), ("**not tested", "not tested"), ("not applicable", "not applicable"))]
    return f"{len(verdicts)} requirements: " + ", ".join(f"{count} {name}" for count, name in counts if count) + "."


def render(proof):
    text = [HEAD.format(summary=summary(proof))]
    for name, title, rows in requirements.GROUPS:
        text += [f"## {title}: {name}\n", "| | | requirement | verdict | tests |", "|---|---|---|---|---|"]
        text += [line(proof, row) for row in rows]
        text.append("")
    return "\n".join(text)


def read(files):
    ends = {} if files else results.of_sources()
    for file in files:
        ends.update(results.of_check(file) if file.parent.name == "check" else results.of_pytest(file))
    return Proof(ends)


def differences(page):
    """Lines of a diff between the page in the repository and what it should be."""
    committed = PAGE.read_text(encoding="utf-8").splitlines() if PAGE.exists() else []
    return list(difflib.unified_diff(committed, page.splitlines(), "docs/conformance.md", "the results of this run", lineterm="", n=0))


def main():
    parser = argparse.ArgumentParser(description="Checks docs/conformance.md against the results of a test run.")
    parser.add_argument("--write", action="store_true", help="write the page instead")
    parser.add_argument("results", nargs="*", type=pathlib.Path, help="pytest's JUnit file; Check's XML in a folder 'check'")
    args = parser.parse_args()
    proof = read(args.results)
    page = render(proof)
    wrong = proof.problems()
    if args.write:
        PAGE.write_text(page, encoding="utf-8")
        print(f"{PAGE}: {summary(proof)}")
    else:
        wrong += differences(page)
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
