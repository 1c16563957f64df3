"""Synchronising, events, the profiler and traces."""

import pytest
import torch


def test_synchronize() -> None:
    torch.mps.synchronize()
    torch.accelerator.synchronize()


def test_events() -> None:
    start, end = torch.mps.Event(enable_timing=True), torch.mps.Event(enable_timing=True)
    start.record()
    torch.randn(200, 200, device="mps").mm(torch.randn(200, 200, device="mps"))
    end.record()
    end.wait()
    end.synchronize()
    assert end.query()
    assert start.elapsed_time(end) > 0
    untimed = torch.mps.Event()
    untimed.record()
    with pytest.raises(RuntimeError, match="enable_timing=True"):
        untimed.elapsed_time(end)


def test_generic_streams_and_events() -> None:
    stream = torch.accelerator.current_stream()
    assert stream.device == torch.device("mps:0")
    event = torch.Event("mps", enable_timing=True)
    event.record(stream)
    other = torch.Event("mps", enable_timing=True)
    other.record()
    other.synchronize()
    assert other.query()
    assert event.elapsed_time(other) >= 0
    stream.wait_event(event)
    stream.synchronize()
    assert stream.query()


def test_torch_profiler() -> None:
    x = torch.ones(3, device="mps")
    with torch.profiler.profile() as profile:
        x.add(1)
    assert any(event.key == "aten::add" for event in profile.key_averages())
