# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# What the linter looks at: the files that belong to the project (tracked by git,
# or everything outside build/ where there is no git), and small readers of them.
import ast
import functools
import os
import pathlib
import re
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)


@functools.cache
def project_files():
    result = subprocess.run(["git", "-c", f"safe.directory={TOP}", "-C", str(TOP), "ls-files"],
                            capture_output=True, text=True)
    if result.returncode == 0:
        names = result.stdout.splitlines()
    else:
        names = [str(path.relative_to(TOP)) for path in TOP.rglob("*") if path.is_file()]
        names = [name for name in names if not name.startswith(("build/", ".git/")) and "__pycache__" not in name]
    return [pathlib.Path(name) for name in names if (TOP / name).is_file()]


def read(path):
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


def with_suffix(*suffixes):
    return [path for path in project_files() if path.suffix in suffixes]


def scripts(interpreter):
    """Files whose first line runs the interpreter, by extension or by #!."""
    def runs_it(path):
        with open(TOP / path, "rb") as file:
            first = file.readline(80)
        return first.startswith(b"#!") and re.search(interpreter, first.decode(errors="replace"))
    return [path for path in project_files() if runs_it(path)]


def includes(path):
    """(system, name) of each include; a quoted name is resolved from its folder or from the top."""
    for bracket, name in INCLUDE.findall(read(path)):
        if bracket == '"':
            beside = path.parent / name
            name = os.path.normpath(beside) if (TOP / beside).exists() else name
        yield bracket == "<", str(name)


def c_functions(path):
    """(name, first line, number of lines) of each function: the layout puts its braces in column 0."""
    lines = read(path).splitlines()
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            head = " ".join(lines[max(0, start - 4):start])
            names = re.findall(r"(\w+)\s*\(", head)
            yield (names[-1] if names else "?"), start + 1, number - start + 1
            start = None


def python_functions(path):
    for node in ast.walk(ast.parse(read(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node.lineno, node.end_lineno - node.lineno + 1
