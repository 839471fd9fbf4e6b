import json
from dataclasses import replace

import numpy as np
import pytest

from edgemoe.compression.journal import Journal
from edgemoe.compression.judge import Verdict
from edgemoe.compression.output_loss import OutputLoss


def verdict(loss):
    return Verdict(loss, (0.0, 1.0), "y", "mse", 2.0, 1.0, 0.5, 2, np.ones((1, 2, 2)), {"y": 0.1})


def test_losses_of_all_outputs_come_back(path):
    each = {
        "y": OutputLoss("mse", 0.25, (0.0, 1.0), 2.0, 1.0, 0.0, 0.5),
        "z": OutputLoss("kl", float("nan"), (0.0, 0.5), 2.0, 1.0, 0.125, 0.5),
    }
    Journal(path, "model").get("a", lambda: replace(verdict(0.25), each=each))
    again = Journal(path, "model").get("a", never).losses
    assert again["y"] == each["y"] and again["z"].floor == 0.125 and np.isnan(again["z"].loss)


def never():
    raise AssertionError("it was known")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "j" / "x.jsonl"


def test_a_second_start_knows_what_the_first_found(path):
    first = Journal(path, "model")
    assert first.get("a", lambda: verdict(0.25)).loss == 0.25
    second = Journal(path, "model")
    again = second.get("a", never)
    assert (again.loss, again.interval, again.rms) == (0.25, (0.0, 1.0), {"y": 0.1})
    assert (again.sums == 1).all() and second.reused == 1


def test_a_line_that_was_cut_is_measured_again(path):
    Journal(path, "model").get("a", lambda: verdict(0.25))
    text = path.read_text()
    path.write_text(text + '{"key": "b", "verd')
    second = Journal(path, "model")
    assert second.get("a", never).loss == 0.25
    assert second.get("b", lambda: verdict(0.5)).loss == 0.5
    third = Journal(path, "model")
    assert (third.get("a", never).loss, third.get("b", never).loss) == (0.25, 0.5)


@pytest.mark.parametrize("text", ["", "nonsense", '{"subject": "other"}\n', "[]\n", "\x00\n3\n"])
def test_a_file_of_something_else_is_ignored(path, text):
    path.parent.mkdir()
    path.write_text(text)
    assert Journal(path, "model").get("a", lambda: verdict(0.75)).loss == 0.75
    assert Journal(path, "model").get("a", never).loss == 0.75


def test_verdicts_of_an_earlier_version_are_measured_again(path):
    """Without a floor a gain by chance would be credited."""
    Journal(path, "model").get("a", lambda: verdict(0.25))
    entry = json.loads(path.read_text())
    del entry["verdict"]["floor"]
    path.write_text(json.dumps(entry) + "\n")
    assert Journal(path, "model").get("a", lambda: verdict(0.5)).loss == 0.5


def test_subjects_share_a_file(path):
    one, other = Journal(path, "pruned"), Journal(path, "whole")
    one.get("a", lambda: verdict(0.1))
    other.get("a", lambda: verdict(0.2))
    assert Journal(path, "pruned").get("a", never).loss == 0.1
    assert Journal(path, "whole").get("a", never).loss == 0.2


def test_numbers_stay(path):
    assert Journal(path, "model").number("n", lambda: 7) == 7
    assert Journal(path, "model").number("n", lambda: 8) == 7
    assert Journal(path, "other").number("n", lambda: 8) == 8


def test_it_goes_when_the_search_is_done(path):
    journal = Journal(path, "model")
    journal.get("a", lambda: verdict(0.1))
    assert path.exists()
    journal.close()
    assert not path.exists()
    Journal(None, "model").get("a", lambda: verdict(0.0))
