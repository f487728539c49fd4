"""OTB+ files. Oracle: the counts that the file was made of, by the vendor's published formula."""

from __future__ import annotations

import numpy as np
import pytest
from format_samples import OTB_XML, otb_bytes, otb_counts
from recording_files import only, refused

from kd_edge.base.errors import KdEdgeError
from kd_edge.signals import find_reader, read


def test_semg_is_in_mv_and_other_channels_are_counts(write):
    """mV = counts * range / 2^bits * 1000 / gain; the range of a Quattrocento is 5 V."""
    path = write(otb_bytes(), "f.otb+")
    assert find_reader(path).name == "otb"
    emg, control = only(path).streams
    assert (emg.modality, emg.unit, emg.rate_hz, emg.sensor) == ("emg", "mV", 2048.0, "AD1x2")
    assert emg.channels == ("AD1x2: EMG 1 Biceps", "AD1x2: EMG 2")
    counts = otb_counts().astype(float)
    np.testing.assert_allclose(emg.samples, counts[:, :2] * 5 / 2**16 * 1000 / 150, rtol=1e-6)
    assert (control.modality, control.unit) == ("control", "")
    np.testing.assert_array_equal(control.samples[:, 0], counts[:, 3])
    assert any("range of 5 V" in note for note in only(path).notes)
    assert any("2 channels that no adapter" in note for note in only(path).notes)


def test_the_range_of_another_amplifier_is_another_or_said(write):
    path = write(otb_bytes(OTB_XML.replace("QUATTROCENTO", "SESSANTAQUATTRO")), "f.otb+")
    (told,) = read(path, range_v=5.0)
    other = only(path).streams[0].samples
    np.testing.assert_allclose(other * 5 / 3.3, told.streams[0].samples, rtol=1e-6)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(KdEdgeError) as caught:
            read(path, range_v=wrong)
        assert caught.value.code == "KD_USAGE"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('ad_bits="16"', 'ad_bits="24"', "24 bits"),
        ('Channels="5"', 'Channels="0"', "0 channels"),
        ('Channels="5"', 'Channels="3"', "column 3 of 3"),
        ('Gain="150"', 'Gain="0"', "gain of 0"),
        ('Gain="150"', 'Gain="nan"', "gain of nan"),
        ('StartIndex="3"', 'StartIndex="1"', "column 1 of 5"),
        ('StartIndex="3"', 'StartIndex="-1"', "column -1 of 5"),
        ('Frequency="2048"', 'Frequency="0"', "0 Hz"),
        (' ad_bits="16"', "", "ad_bits"),
        ("<Device", '<!DOCTYPE x [<!ENTITY a "b">]><Device', "no description"),
        ("</Device>", "", "not a readable OTB+"),
    ],
)
def test_a_description_that_cannot_be_is_refused(write, old, new, said):
    xml = OTB_XML.replace(old, new)
    assert xml != OTB_XML
    samples = otb_counts()[:39].tobytes()  # 39 * 5: a whole number of 3 channels, too
    error = refused(write(otb_bytes(xml, samples), "f.otb+"))
    assert (error.code, said in error.message) == ("KD_BAD_FORMAT", True), error


def test_a_cut_file_is_refused(write):
    whole = otb_bytes()
    assert refused(write(whole[:800], "f.otb+")).code == "KD_TRUNCATED"
    assert refused(write(otb_bytes(samples=bytes(11)), "f.otb+")).code == "KD_TRUNCATED"
    assert refused(write(otb_bytes(samples=b""), "f.otb+")).code == "KD_TRUNCATED"
    assert refused(write(b"not a tar", "f.otb+")).code == "KD_BAD_FORMAT"


def test_a_signal_without_its_description_is_refused(write):
    error = refused(write(otb_bytes(described="two"), "f.otb+"))
    assert (error.code, "no XML" in error.message) == ("KD_BAD_FORMAT", True)
