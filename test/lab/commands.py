# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Programs that read commands, a line each, and answer every one with a line of JSON.
import json


class CommandServer:
    """`log` gives what the program has said besides, for the message when it ends. It speaks first."""

    def __init__(self, name, process, log):
        self.name, self.process, self.log = name, process, log
        self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended: {self.log()}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer

    def command(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.read()
