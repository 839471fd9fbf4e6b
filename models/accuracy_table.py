"""Write the table of models/README.md from the records: python -m edgemoe.models.accuracy_table."""

from __future__ import annotations

from pathlib import Path

from edgemoe.models import checkpoint

README = Path(__file__).parent / "README.md"
START, END = "<!-- table -->\n", "<!-- end of table -->\n"
FACTORIES = {
    "etth1": "forecaster:etth1",
    "co2": "forecaster:co2",
    "char_moe": "moe_lm:char_moe",
    "char_blockffn": "blockffn_lm:char_blockffn",
    "digits": "digits_mixer:digits",
    "sensor_moe": "sensor_moe:sensor_moe",
    "domain_moe": "domain_moe:domain_moe",
}
HEAD = (
    "| factory in `edgemoe.models` | parameters | bytes | data and split | metric | value "
    "| controls | command (time on one thread) |\n"
    "|---|--:|--:|---|---|--:|---|---|\n"
)


def row(name: str) -> str:
    """Return the line of one model."""
    record = checkpoint.read_record(name)
    size = (checkpoint.CHECKPOINTS / f"{name}.safetensors").stat().st_size
    controls = "; ".join(f"{label} {value}" for label, value in record["controls"].items())
    cells = (
        f"`{FACTORIES[name]}`",
        f"{record['parameters']:,}",
        f"{size:,}",
        f"{record['data']}: {record['split']}",
        record["metric"],
        f"**{record['value']}**",
        controls,
        f"`{record['command']}` ({record['training_seconds']} s)",
    )
    return "| " + " | ".join(cells) + " |\n"


def table() -> str:
    """Return the whole table as Markdown."""
    return HEAD + "".join(map(row, FACTORIES))


def main() -> None:
    """Replace the table of the README."""
    text = README.read_text()
    before, rest = text.split(START)
    README.write_text(before + START + table() + END + rest.split(END)[1])


if __name__ == "__main__":
    main()
