# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# One requirement of an RFC, in our words: a row of docs/conformance.md. A test proves
# it by having the row's id in its name (results.py); which tests there are is written
# nowhere else.
#
# A row without `gap`, `outside` or `pending` is met when it has tests and all of
# them passed, and an error otherwise.
#   gap      why it is not met, or only in part; its tests are listed all the same
#   outside  why it does not apply
#   pending  who has no test yet: not tested, and why; forgotten once there is one
#   note     what the operator should know of a row that is met
#   derived  met when no MUST of these RFCs is unmet
import dataclasses

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"


@dataclasses.dataclass(frozen=True)
class Requirement:
    id: str
    section: str
    level: str
    text: str
    gap: str = ""
    outside: str = ""
    pending: str = ""
    note: str = ""
    derived: tuple = ()

    @property
    def label(self):
        """rfc4787_req9a and rfc4787_req9a_more -> REQ-9a; rfc7857_s2_2 -> "", as its section says it."""
        name = self.id.split("_")[1] if "_" in self.id else ""
        return f"REQ-{name.removeprefix('req')}" if name.startswith("req") else ""
