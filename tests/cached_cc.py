"""A C compiler that compiles each runtime source once: cached_cc.py FOLDER CC ARGUMENT...

Dozens of toy artifacts have the same runtime; only their `model.c` differs. An object is named by a
hash of its source, of the headers beside it and of the options.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Compile what is missing in FOLDER, then link with it."""
    folder, compiler, *arguments = sys.argv[1:]
    headers = b"".join(path.read_bytes() for path in sorted(Path().glob("*.h")))
    options = [item for item in arguments if item.startswith(("-std", "-O", "-f", "-W", "-p"))]
    options = [item for item in options if not item.startswith("-Wl,")]
    linked = []
    for item in arguments:
        source = Path(item)
        if source.suffix != ".c" or source.name == "model.c":
            linked.append(item)
            continue
        key = repr((compiler, options)).encode() + headers + source.read_bytes()
        made = Path(folder) / f"{hashlib.sha256(key).hexdigest()}.o"
        if not made.exists():
            partial = made.with_suffix(f".{os.getpid()}")
            command = [compiler, *options, "-c", "-o", str(partial), item]
            done = subprocess.run(command, check=False)
            if done.returncode:
                return done.returncode
            partial.rename(made)
        linked.append(str(made))
    return subprocess.run([compiler, *linked], check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
