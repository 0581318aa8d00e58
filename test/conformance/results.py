# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Which tests name which requirement, and how they ended: read from what pytest and
# Check wrote (JUnit, Check's XML), or from the sources alone.
import ast
import collections
import functools
import pathlib
import re
import xml.etree.ElementTree as xml

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# rfc4787_req9a; rfc5508_req4abc, three of them; rfc7857_s2_2; and rfc6887, an RFC that is one row.
NAMED = re.compile(r"(?<![a-z0-9])(rfc\d+)_(?:(req\d+)([a-z]*)(?=_|$)|(s\d+(?:_\d+)*)(?=_|$))?")
CHECK = "{http://check.sourceforge.net/ns}"

Case = collections.namedtuple("Case", "file name")  # file: from the top of the repository


def named(name):
    """The ids of the requirements that a test's name lists."""
    ids = []
    for rfc, requirement, letters, section in NAMED.findall(name):
        if requirement:
            ids += [f"{rfc}_{requirement}{letter}" for letter in letters or [""]]
        else:
            ids.append(f"{rfc}_{section}" if section else rfc)
    return ids


def of_pytest(report):
    """Case -> passed, of a JUnit file; the cases of one function together."""
    ends = {}
    for case in xml.parse(report).getroot().iter("testcase"):
        test = Case(case.get("classname").replace(".", "/") + ".py", case.get("name").partition("[")[0])
        bad = any(case.find(tag) is not None for tag in ("failure", "error", "skipped"))
        ends[test] = ends.get(test, True) and not bad
    return ends


@functools.cache
def check_files():
    """Name of a Check test -> the files that have one of this name."""
    files = collections.defaultdict(list)
    for path in sorted(TOP.glob("test/*/*.c")):
        for name in re.findall(r"^START_TEST\((\w+)\)", path.read_text(encoding="utf-8"), re.MULTILINE):
            files[name].append(str(path.relative_to(TOP)))
    return files


def check_file(name, last):
    """Check names the file of the last assertion, which may be that of a helper."""
    files = check_files().get(name, [])
    return last if last in files or not files else files[0]


def of_check(report):
    """The same of what a Check program wrote."""
    ends = {}
    for case in xml.parse(report).getroot().iter(f"{CHECK}test"):
        source = pathlib.Path(case.find(f"{CHECK}path").text, case.find(f"{CHECK}fn").text.rpartition(":")[0])
        source = source.relative_to(TOP) if source.is_absolute() else source
        name = case.find(f"{CHECK}id").text
        test = Case(check_file(name, str(source)), name)
        ends[test] = ends.get(test, True) and case.get("result") == "success"
    return ends


def of_sources():
    """Every test that is written, as if it had passed."""
    ends = {}
    for path in sorted(TOP.glob("test/*/test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                ends[Case(str(path.relative_to(TOP)), node.name)] = True
    for name, files in check_files().items():
        for file in files:
            ends[Case(file, name)] = True
    return ends
