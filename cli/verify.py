"""`edgemoe verify`: check an artifact's files and run its self-test on this machine."""

from __future__ import annotations

from edgemoe.cli.console import Console, decibels
from edgemoe.cli.options import ArtifactPath, Device, Isa, Json, Quiet, Threads, Verbose


def command(
    artifact: ArtifactPath,
    threads: Threads = 1,
    isa: Isa = None,
    device: Device = None,
    json_file: Json = None,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> None:
    """Check an artifact's files and run its self-test, with every instruction set or on a GPU."""
    from edgemoe.runtime.errors import ArtifactError, DeviceError
    from edgemoe.runtime.selftest import run_cases
    from edgemoe.runtime.session import load

    console = Console(verbose=verbose, quiet=quiet, json_file=json_file)
    rows, results, failed = [], [], 0
    with load(artifact, threads=threads, isa=isa, device=device) as session:
        best, isas = session.isa, session.manifest.isas
        console.print(f"files: {len(session.manifest.files)} have the size and hash they should")
    skipped: list[str] = []
    for name in [isa] if isa else isas:
        try:
            session = load(artifact, threads=threads, isa=name, verify=False, device=device)
        except DeviceError as error:
            skipped.append(name)
            console.print(f"{name}: skipped, {error}")
            continue
        with session:
            for case in run_cases(session):
                failed += not case.passed
                for item in case.comparisons:
                    results.append((name, case, item))
                    rows.append(
                        (name, case.case, item.output, f"{item.max_error:.3g}",
                         f"{item.rms_error:.3g}",
                         f"{case.statistic} {case.tolerance * item.rms:.3g}",
                         decibels(item.sqnr_db), "ok" if case.holds(item) else "FAILED")
                    )  # fmt: skip
    console.table(
        ("isa", "case", "output", "max error", "RMS error", "allowed", "SQNR", "result"), rows
    )
    console.result(
        {
            "passed": not failed and bool(rows),
            "skipped_isas": skipped,
            "best_isa": best,
            "results": [
                {"isa": name, "case": case.case, "tolerance": case.tolerance,
                 "statistic": case.statistic, "passed": case.holds(item), **vars(item)}
                for name, case, item in results
            ],
        }
    )  # fmt: skip
    if not rows:
        raise ArtifactError(
            f"{artifact} has no self-test; compile the model again to have one written"
        )
    if failed:
        raise ArtifactError(
            f"the self-test of {artifact} failed in {failed} case(s) on this machine; the rows say "
            "FAILED; try another instruction set (--isa) or device (--device), and report it"
        )
