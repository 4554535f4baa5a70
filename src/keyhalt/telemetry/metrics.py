"""What is measured, as Prometheus reads it (docs/watching.md). No id is ever a label."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    SummaryMetricFamily,
)

from keyhalt.core.audit import IN_EFFECT, Event
from keyhalt.usecases.measure import FURTHER
from keyhalt.usecases.timing import BOUNDS_US, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client.metrics_core import Metric

    from keyhalt.usecases.measure import Measured, ThisProcess, Totals

_Values = dict[tuple[str, ...], float]
_SIGN_INS = {Event.SIGN_IN.value: "done", Event.SIGN_IN_DENIED.value: "denied"}


def exposition(measured: Measured, version: str, environment: str) -> tuple[bytes, str]:
    """The text, and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(list(_metrics(measured, version, environment))))
    return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4


class _Once:
    """What a registry asks: these, and no others."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics

    def describe(self) -> Iterable[Metric]:
        return ()


def _metrics(measured: Measured, version: str, environment: str) -> Iterator[Metric]:
    yield _gauge(
        "build_info", "1; its labels say what runs here.",
        {(version, environment): 1}, ("version", "environment"),
    )  # fmt: skip
    up = measured.totals is not None
    yield _gauge("store_up", "Whether the store could be asked just now.", {(): int(up)})
    yield from _of_process(measured.process)
    if measured.totals is not None:
        yield from _counters(measured.totals)
        yield from _gauges(measured.totals)


def _of_process(process: ThisProcess) -> Iterator[Metric]:
    yield _gauge(
        "process_remembered_keys", "Keys that the process that was asked remembers.",
        {(): process.remembered_keys},
    )  # fmt: skip
    yield _gauge(
        "process_last_used_flush_lag_seconds",
        "Since the process that was asked last wrote what keys do.",
        {(): process.use_unwritten_seconds},
    )
    if process.lease_seconds is not None:
        yield _gauge(
            "process_lease_seconds", "How long the lease of the process that was asked lasts yet.",
            {(): process.lease_seconds},
        )  # fmt: skip


def _counters(totals: Totals) -> Iterator[Metric]:
    decided: _Values = defaultdict(float, {("allowed", ""): totals.allowed})
    sign_ins: _Values = defaultdict(float)
    happened: _Values = defaultdict(float)
    waits: _Values = defaultdict(float)
    waited_ms = 0
    for each in totals.events:
        happened[each.event,] += each.count
        if each.event == Event.REQUEST_DENIED:
            decided["denied", each.reason] += each.count
        elif each.event in _SIGN_INS:
            sign_ins[_SIGN_INS[each.event], each.reason] += each.count
        elif each.event in IN_EFFECT and each.reason != FURTHER:
            waits[each.outcome,] += each.count
            waited_ms += each.waited_ms
    labels = ("outcome", "reason")
    yield _counter(
        "verifications", "Requests with a key that were allowed, and all that were denied.",
        decided, labels,
    )  # fmt: skip
    yield _durations(totals)
    yield _counter("sign_ins", "Sign-ins, and those that were refused.", sign_ins, labels)
    yield _counter(
        "revocations", "Changes of rights that were waited for: all is done, or some were fenced.",
        waits, ("outcome",),
    )  # fmt: skip
    yield _summary(
        "revocation_propagation_seconds", "How long changes of rights waited for every process.",
        sum(waits.values()), waited_ms / 1000,
    )  # fmt: skip
    yield _counter("audit_events", "Events beside the chain of changes.", happened, ("event",))


def _durations(totals: Totals) -> Metric:
    """All bounds of both sources, whatever was timed, so that no line comes or goes."""
    family = HistogramMetricFamily(
        "keyhalt_verification_duration_seconds",
        "How long answers from memory took, of which some are timed, and questions to the store.",
        labels=("source",),
    )
    for source in Source:
        times = [each for each in totals.times if each.source is source]
        buckets, below = [], 0
        for bound in BOUNDS_US:
            below += sum(each.count for each in times if each.upto_us == bound)
            buckets.append((str(bound / 1e6), float(below)))
        buckets.append(("+Inf", float(sum(each.count for each in times))))
        spent = sum(each.spent_ns for each in times) / 1e9
        family.add_metric((source.value,), buckets=buckets, sum_value=spent)
    return family


def _gauges(totals: Totals) -> Iterator[Metric]:
    yield _gauge("audit_chain_row", "The last row of the chain of changes.", {(): totals.changes})
    yield _gauge("epoch", "The epoch of the store: raised by each change.", {(): totals.epoch})
    states: _Values = {(state,): count for state, count in totals.keys.items()}
    yield _gauge("keys", "Keys by state.", states, ("state",))
    if totals.verifiers is not None:
        yield _gauge("verifiers_alive", "Processes that may hold a lease.", {(): totals.verifiers})


def _gauge(name: str, says: str, values: _Values, labels: tuple[str, ...] = ()) -> Metric:
    family = GaugeMetricFamily(f"keyhalt_{name}", says, labels=labels)
    for of, value in sorted(values.items()):
        family.add_metric(of, value)
    return family


def _counter(name: str, says: str, values: _Values, labels: tuple[str, ...]) -> Metric:
    family = CounterMetricFamily(f"keyhalt_{name}", says, labels=labels)
    for of, value in sorted(values.items()):
        family.add_metric(of, value)
    return family


def _summary(name: str, says: str, count: float, total: float) -> Metric:
    return SummaryMetricFamily(f"keyhalt_{name}", says, count_value=int(count), sum_value=total)
