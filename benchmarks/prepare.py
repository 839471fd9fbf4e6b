"""Prepares contestants of one peer, in the peer's environment and in a process of its own.

    python -m benchmarks.prepare PEER KIT NAME...

Each ends in a file `prepared.json` of its folder: the reason why it failed, or null, and the digest
of the peer's files, by which a later run of the benchmark knows what it need not prepare again.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from benchmarks.contestant import PEERS, Contestant, Kit, peer_of

NOTE = "prepared.json"


def digest_of(peer: str) -> str:
    """Hash of the file of a peer, or of all files of its folder."""
    digest = hashlib.sha256()
    for path in sorted([*PEERS.glob(f"{peer}.py"), *PEERS.glob(f"{peer}/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_prepared(contestant: Contestant, kit: Kit) -> bool:
    """Whether the peer as it is now has done it; ours is always compiled anew."""
    note = kit.folder_of(contestant) / NOTE
    if contestant.peer == "ours" or not note.is_file():
        return False
    return bool(json.loads(note.read_text("utf-8"))["digest"] == digest_of(contestant.peer))


def has_note(contestant: Contestant, kit: Kit) -> bool:
    """Whether it was tried."""
    return (kit.folder_of(contestant) / NOTE).is_file()


def why_not(contestant: Contestant, kit: Kit) -> str | None:
    """The reason why a contestant could not be prepared."""
    note = kit.folder_of(contestant) / NOTE
    if not note.is_file():
        return "the process that prepares it does not start"
    reason = json.loads(note.read_text("utf-8"))["failed"]
    return None if reason is None else str(reason)


def write_note(contestant: Contestant, kit: Kit, failed: str | None) -> None:
    """Say how it went; written before it is tried as well, because a library may crash."""
    note = {"failed": failed, "digest": digest_of(contestant.peer)}
    (kit.folder_of(contestant) / NOTE).write_text(json.dumps(note), "utf-8")


def clear(contestant: Contestant, kit: Kit) -> None:
    """Throw away what was prepared."""
    shutil.rmtree(kit.folder_of(contestant))


def sentence_of(error: BaseException) -> str:
    """The first line of an error, with its type."""
    text = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {text[0]}"[:300]


def main() -> None:
    """Prepare all that are named."""
    name, folder, *wanted = sys.argv[1:]
    peer, kit = peer_of(name), Kit.open(Path(folder))
    for contestant in peer.contestants(kit.case):
        if contestant.name not in wanted:
            continue
        write_note(contestant, kit, "the process that prepared it died")
        try:
            peer.prepare(contestant, kit)
        except Exception as error:  # whatever a peer raises becomes a row of the table
            write_note(contestant, kit, sentence_of(error))
        else:
            write_note(contestant, kit, None)


if __name__ == "__main__":
    main()
