"""Names that speak of time in tests: what replaces the clock of a loop, and what a guard would be seen by."""

from __future__ import annotations

FAKE_CLOCKS = frozenset(
    [
        "looptime",
        "async_solipsism",
        "freezegun",
        "time_machine",
        "trio.testing.MockClock",
        "freezer",
        "frozen_time",
        "mock_clock",
        "autojump_clock",
        "fake_clock",
        "virtual_clock",
        "time_travel",
    ]
)
# What a test looks at that a guard of its own would change.
INSPECTED = frozenset(
    [
        "current_effective_deadline",
        "call_at",
        "_scheduled",
        "_ready",
        "monotonic",
        "perf_counter_ns",
        "current_statistics",
        "seconds_to_next_deadline",
        "async_fire_time_changed",  # Home Assistant's, which runs what is scheduled
    ]
)
# Of these, what tells in a function that a test calls: many a helper looks at the clock.
STEPPING = frozenset({"_scheduled", "_ready", "current_effective_deadline", "async_fire_time_changed"})
# Words of modules that may do so, or replace a clock or a guard, or leave open what they enter.
WORDS = (
    *sorted(name.rpartition(".")[2] for name in FAKE_CLOCKS),
    *sorted(STEPPING),
    *("monotonic", "oop.time", '"time"', "'time'", ".timeout", '"timeout"', "'timeout'"),
    *(".__aenter__(", "enter_async_context("),
)
