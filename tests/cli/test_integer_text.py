"""What `compile` and `inspect` print of an integer program: nothing is left out."""

from __future__ import annotations

from edgemoe.cli.integer_text import SHOWN, integer_text

REPORT = {
    "metric": "accuracy", "value": 0.75, "loss": 0.0123, "samples": 40, "integer_operators": 12,
    "proven_on_unseen_samples": True,
    "tensors": {"int8": 9, "int16": 3, "widened_by_the_search": ["add_1"], "gain_of_16_bits": {}},
    "formats": {"a": "i8", "b": "i8", "c": "i4"},
    "controls": {"fp32": {"value": 0.76, "loss": 0.0, "error": 0.0},
                 "all int8": {"value": 0.7, "loss": 0.08, "error": 0.5}},
    "bytes": {"weights": 1000, "tables": 256},
    "islands": [{"node": "n", "op_type": "Sin", "origin": "model.sin", "why": "no rule takes it"}],
    "never_seen": [f"t{n}" for n in range(SHOWN + 2)],
    "experts_never_chosen": {"layer": [3, 5]},
    "saturated": {"x": 0.25},
    "notes": ["a note"],
}  # fmt: skip


def test_everything_is_said():
    text = integer_text(REPORT, verbose=False)
    for words in (
        "12 integer operators, tensors: 9 int8, 3 int16; weights: 1 i4, 2 i8", "all int8",
        "+8.000%",
        "+1.230%", "samples that the search did not see", "1 operators stayed float: Sin model.sin",
        "no rule takes it", "16 bits by the search: add_1", "and 2 more (-v shows all)",
        "layer: [3, 5]", "x 25.00%", "a note", "tables 256 B",
    ):  # fmt: skip
        assert words in text
    assert "t9" not in text and "t9" in integer_text(REPORT, verbose=True)


def test_too_few_samples_are_named():
    text = integer_text({**REPORT, "proven_on_unseen_samples": False}, verbose=False)
    assert "too few to keep some apart" in text
