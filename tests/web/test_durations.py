"""How long verifications take: each question to the store, and some of the answers from memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from keyhalt.client.middleware import Authenticate
from keyhalt.storage.measures import write_times
from keyhalt.usecases.timing import BOUNDS_US, MORE, Source, Timing
from tests.web.test_metrics import INTERNAL, Labels, Watcher
from tests.world import World

NAME = "verification_duration_seconds"


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def workers(world: World) -> Iterator[list[Watcher]]:
    """Two processes that somebody watches. Their ticks come when the test says so."""
    engines = [world.other(timed=True) for _ in range(2)]
    with (
        world.client(engines[0], internal_port=INTERNAL) as one,
        world.client(engines[1], internal_port=INTERNAL) as other,
    ):
        yield [
            Watcher(
                world,
                public,
                TestClient(public.app, base_url=f"https://testserver:{INTERNAL}"),
            )
            for public in (one, other)
        ]


def counted(watcher: Watcher, source: Source, suffix: str = "count") -> float:
    for engine in watcher.world.others:
        write_times(engine.stores.use, engine.recording.timing)
    found: dict[Labels, float] = watcher.read()[f"{NAME}_{suffix}"]
    return found[(("source", source.value),)]


def ask(watcher: Watcher, key: str) -> int:
    answer = watcher.public.get("/api/v3/order", headers={"ECI-ApiKey": key})
    return int(answer.status_code)


def test_any_of_two_workers_tells_what_both_of_them_took(
    world: World, workers: list[Watcher]
) -> None:
    """Each reads the key once, and both readings are in the histogram that either gives."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    for worker in workers:
        assert [ask(worker, key) for _ in range(3)] == [200] * 3
    for worker in workers:
        assert counted(worker, Source.STORE) == 2
        assert counted(worker, Source.STORE, "sum") > 0
        buckets = worker.read()[f"{NAME}_bucket"]
        for source in Source:
            of = [n for labels, n in buckets.items() if ("source", source.value) in labels]
            assert len(of) == len(BOUNDS_US) + 1
            assert of == sorted(of)
            assert of[-1] == counted(worker, source)


def test_what_the_text_refutes_asks_no_store_and_is_not_timed_as_if(
    world: World, workers: list[Watcher]
) -> None:
    """A flood of misspelt keys hides no slow database."""
    _, key = world.key(world.user("jsmith", "orders.view"))
    assert ask(workers[0], key[:-2] + key[-1] + key[-2]) == 401
    assert workers[0].public.get("/api/v3/order").status_code == 401
    assert counted(workers[0], Source.STORE) == 0


def test_after_a_tick_one_answer_from_memory_is_timed_and_then_none(world: World) -> None:
    """What is not remembered is not it; who answers is what it was before, to the last object."""
    engine = world.other()
    timing = Timing(engine.clock.monotonic)
    layer = Authenticate(world.orders, engine.verify)  # type: ignore[arg-type]
    plain = layer.remembered
    timing.sample(layer)
    assert layer.remembered is plain
    _, key = world.key(world.user("jsmith", "orders.view"))
    timing.arm()
    assert layer.remembered(key.encode(), True) is None
    assert timing.take() == {}
    from tests.storage.test_guard import ask as asked

    asked(engine, key)
    timing.arm()
    timing.arm()
    assert [layer.remembered(key.encode(), True) is not None for _ in range(5)] == [True] * 5
    assert layer.remembered is plain
    ((source, _), (times, _)) = next(iter(timing.take().items()))
    assert (source, times) == (Source.MEMORY, 1)


def test_where_nobody_can_ask_nothing_is_timed(world: World) -> None:
    """Without an internal listener there is no wrapping of anything."""
    with world.client() as public:
        _, key = world.key(world.user("jsmith", "orders.view"))
        assert public.get("/api/v3/order", headers={"ECI-ApiKey": key}).status_code == 200
    assert "timing" not in vars(world.engine.recording)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, 1), (1e-6, 1), (1.1e-6, 2), (0.0002, 200), (1, 1_000_000), (2, MORE)]
)
def test_a_time_is_counted_up_to_the_bound_at_or_above_it(seconds: float, bound: int) -> None:
    """And what could not be written is counted with what comes after."""
    timing = Timing(lambda: 1000.0 + seconds)
    timing.took(Source.STORE, 1000.0)
    taken = timing.take()
    assert [key[1] for key in taken] == [bound]
    timing.put_back(taken)
    timing.took(Source.STORE, 1000.0)
    assert [times for times, _ in timing.take().values()] == [2]
    assert timing.take() == {}
