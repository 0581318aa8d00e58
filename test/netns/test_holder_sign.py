# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#
# Signed objects: what minisign signed with one of the holder's keys is loaded, what
# it did not sign is refused, counted and told, and changes nothing.
import json
import os
import shutil
import subprocess

import pytest

from holder_fixture import HolderLab, object_file
from lab import Lab
from rpc import RpcError

NOT_PERMITTED, INVALID_PARAMS = -32001, -32602


class Signer:
    """A key pair, made and used by Debian's minisign."""
    def __init__(self, folder, name):
        self.public, self.secret = folder / f"{name}.pub", folder / f"{name}.key"
        subprocess.run(["minisign", "-G", "-f", "-W", "-p", self.public, "-s", self.secret], check=True, capture_output=True)
        self.id = self.public.read_text().split("\n")[0].split()[-1]

    def sign(self, file, *options):
        target = self.public.with_suffix(".minisig")
        subprocess.run(["minisign", "-S", *options, "-s", self.secret, "-m", file, "-x", target], check=True,
                       capture_output=True)
        return target.read_text()


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    return [Signer(folder, name) for name in ("one", "two", "stranger")]


@pytest.fixture
def lab(signers):
    with HolderLab() as made:
        made.arguments = ["--key", signers[0].public, "--key", signers[1].public]
        made.start()
        yield made


def stage(lab, signature=None, name="holder_v1", file=None):
    params = {"name": name} | ({} if signature is None else {"signature": signature})
    with open(file or object_file(name), "rb") as opened:
        return lab.call("object.stage", params, [opened.fileno()])


def refused(lab, *arguments, **options):
    with pytest.raises(RpcError) as caught:
        stage(lab, *arguments, **options)
    return caught.value


def counts(lab):
    signing = lab.call("holder.status")["signing"]
    return signing["good"], signing["refused"], signing["ignored"]


@pytest.mark.parametrize("options", [[], ["-l"]], ids=["ED", "Ed"])
def test_what_one_of_the_keys_signed_is_loaded(lab, signers, options):
    for count, signer in enumerate(signers[:2], 1):
        signature = signer.sign(object_file("holder_v1"), *options, "-t", "build 7, réseau")
        answer = stage(lab, signature)
        assert answer["signature"] == {"state": "good", "key": signer.id, "comment": "build 7, réseau"}
        assert counts(lab) == (count, 0, 0)
    assert lab.call("holder.status")["signing"]["keys"] == [signer.id for signer in signers[:2]]
    lab.commit(answer["generation"])


def test_what_they_did_not_sign_is_refused_and_changes_nothing(lab, signers, tmp_path):
    one, two, stranger = signers
    good = one.sign(object_file("holder_v1"))
    lines = good.split("\n")
    stage_and_see = [
        (None, "it is not signed", None),
        (stranger.sign(object_file("holder_v1")), "by a key that is not accepted", stranger.id),
        (one.sign(object_file("holder_v2")), "not of this file", one.id),
        (good.replace("timestamp:", "timestamp:1"), "trusted comment of the signature was changed", one.id),
        (good.replace(lines[3], two.sign(object_file("holder_v1")).split("\n")[3]), "trusted comment", one.id),
        ("garbage", "line 1 must begin with", None),
        (good[:160], "line 3 of the signature", None),
    ]
    with lab.client() as follower:
        follower.call("holder.subscribe")
        for count, (signature, text, signer) in enumerate(stage_and_see, 1):
            error = refused(lab, signature)
            assert error.code == NOT_PERMITTED and text in error.message, error.message
            assert error.message.startswith("stage holder_v1: ") and f"accepted: {one.id}, {two.id})" in error.message
            assert error.data == {"accepted": [one.id, two.id]} | ({"signed_by": signer} if signer else {})
            assert counts(lab) == (0, count, 0)
            assert follower.next_notification(20)["params"] == {"type": "signature_refused", "reason": error.message}
            assert error.message in lab.log()
    assert lab.call("holder.status")["generations"] == [] and list(lab.pin("gen").iterdir()) == []
    changed = tmp_path / "changed.o"
    bytes_of_it = bytearray(object_file("holder_v1").read_bytes())
    bytes_of_it[-1] ^= 1
    changed.write_bytes(bytes_of_it)
    assert "not of this file" in refused(lab, good, file=changed).message
    for wrong in ("", "x" * 16385, 7):
        assert refused(lab, wrong).code == INVALID_PARAMS
    assert stage(lab, good)["signature"]["key"] == one.id  # the one that all were made from


def test_a_refusal_leaves_what_runs(lab, signers):
    generation = stage(lab, signers[0].sign(object_file("holder_v1")))["generation"]
    lab.commit(generation)
    lab.attach("a0", "access")
    lab.attach("c0", "core")
    refused(lab, None, name="holder_v2")
    lab.assert_runs(generation)
    lab.kill()
    lab.start()
    lab.assert_runs(generation)
    assert refused(lab, None, name="holder_v2").code == NOT_PERMITTED


def test_without_keys_a_signature_is_not_looked_at():
    with HolderLab() as lab:
        lab.start()
        assert stage(lab)["signature"] == {"state": "none"}
        assert stage(lab, "anything")["signature"] == {"state": "ignored"}
        assert counts(lab) == (0, 0, 1) and not lab.call("holder.status")["signing"]["required"]
        assert "holder_v1: its signature is not looked at: no key is configured (--key)" in lab.log()
        lab.stop()


@pytest.mark.parametrize("content", [None, "", "garbage\n", json.dumps({"key": 1})])
def test_a_key_that_cannot_be_read_accepts_nothing(signers, tmp_path, content):
    bad = tmp_path / "bad.pub"
    if content is not None:
        bad.write_text(content)
    with HolderLab() as lab:
        lab.arguments = ["--key", bad]
        lab.start()
        assert f"--key {bad}: " in lab.log()
        error = refused(lab, signers[0].sign(object_file("holder_v1")))
        assert error.code == NOT_PERMITTED and "accepted: no key, none could be read" in error.message
        assert refused(lab).code == NOT_PERMITTED
        lab.stop()
        lab.arguments += ["--key", signers[0].public]  # the others count all the same
        lab.start()
        assert stage(lab, signers[0].sign(object_file("holder_v1")))["signature"]["state"] == "good"
        lab.stop()


def test_signatures_by_way_of_controld_and_bngcli(signers):
    """At a start, and in an upgrade: the signature is found beside the object, or named."""
    one, _, stranger = signers
    with Lab() as lab:
        lab.start_holder(arguments=["--key", one.public])
        lab.start_controld(wait=False)
        assert lab.controld.wait(60) == 1
        lab.reap(lab.controld)
        assert "it is not signed (accepted: " + one.id in lab.log("controld")
        beside = lab.object.with_name("bng.bpf.o.minisig")
        beside.write_text(one.sign(lab.object))
        lab.start_controld()
        generation = lab.call("issu.status")["current"]
        new = lab.directory / "new.o"
        shutil.copy(lab.object, new)
        result = lab.cli("issu", "upgrade", new, check=False)
        assert result.returncode == 1 and "it is not signed" in result.stderr and one.id in result.stderr
        elsewhere = lab.directory / "elsewhere"
        elsewhere.write_text(stranger.sign(new))
        result = lab.cli("issu", "upgrade", new, "--signature", elsewhere, check=False)
        assert result.returncode == 1 and f"signed by {stranger.id}; accepted: {one.id}" in result.stderr
        result = lab.cli("issu", "upgrade", new, "--signature", "/nonexistent", check=False)
        assert result.returncode == 2 and "cannot read the signature /nonexistent: No such file" in result.stderr
        assert lab.call("issu.status")["current"] == generation
        os.replace(elsewhere, lab.directory / "new.o.minisig")
        assert lab.cli("issu", "upgrade", new, check=False).returncode == 1
        (lab.directory / "new.o.minisig").write_text(one.sign(new, "-l"))
        assert f"signed by key {one.id}" in " ".join(lab.cli("issu", "upgrade", new).stdout.split())
        assert lab.call("issu.status")["current"] > generation
        facts = " ".join(lab.cli("holder", "status").stdout.split())
        assert f"signatures by {one.id}; 2 good, 4 objects refused" in facts
