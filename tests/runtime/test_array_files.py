"""Damaged .npz files are one clear error, whatever NumPy and zipfile raise for them."""

from __future__ import annotations

import numpy as np
import pytest

from edgemoe.buckets import read_samples
from edgemoe.errors import InputError
from edgemoe.runtime.array_files import read_arrays


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.arange(3000, dtype=np.float32))
    return path


def _cut(data):
    return data[: len(data) // 2]


def _empty(data):
    return data[:0]


def _flipped(data):
    middle = len(data) // 3
    return (
        data[:middle] + bytes(255 - b for b in data[middle : middle + 200]) + data[middle + 200 :]
    )


def test_a_whole_file(whole):
    assert np.array_equal(read_arrays(whole)["x"], np.arange(3000))


@pytest.mark.parametrize("damage", [_cut, _empty, _flipped])
@pytest.mark.parametrize("read", [read_arrays, read_samples])
def test_damage_is_one_error(whole, damage, read):
    whole.write_bytes(damage(whole.read_bytes()))
    with pytest.raises(InputError, match=r"x\.npz cannot be read as \.npz .*; write it with"):
        read(whole)


@pytest.mark.parametrize("read", [read_arrays, read_samples])
def test_a_single_array_is_no_npz(tmp_path, read):
    np.save(tmp_path / "x.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"x\.npy holds a single array; give an \.npz"):
        read(tmp_path / "x.npy")
