"""What tests need. Oracle: a program that no machine has."""

from __future__ import annotations

import pytest
from programs import need


def test_a_program_that_is_there_is_no_matter():
    need("sh")


@pytest.mark.parametrize(
    ("in_ci", "program", "ending"),
    [
        ("", "kd-edge-no-such-program", pytest.skip.Exception),
        ("true", "kd-edge-no-such-program", pytest.fail.Exception),
        ("true", "xtensa-esp32s3-elf-gcc", pytest.skip.Exception),
    ],
)
def test_a_missing_program_skips_a_test_and_fails_it_in_ci(monkeypatch, in_ci, program, ending):
    monkeypatch.setenv("CI", in_ci)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ending, match=program):
        need(program)
