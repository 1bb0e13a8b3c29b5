"""Where tasks run: in this process, on its own cluster, or on one that is there."""

from __future__ import annotations

import itertools
import logging
import os
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import dask

from mifprofile.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from distributed import Client

Task = Any


class Workers(Protocol):
    """Runs functions whose arguments, results and errors can be pickled."""

    threads: int
    """CPU threads that one task may use."""

    def share(self, value: Any) -> Any:
        """Bring a large argument to where tasks run, once."""

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        after: Sequence[Task] = (),
        lane: str = "blocks",
    ) -> Task:
        """Run a function once the tasks in ``after`` are done.

        In one process the network's tasks run one after another, the others beside
        them on as many threads as there are.
        """

    def completed(self, tasks: Sequence[Task]) -> Iterator[Any]:
        """Results as they come; the first error is raised."""


@contextmanager
def open_workers(workers: int, scheduler: str | None) -> Iterator[Workers]:
    """Provide this process, ``workers`` others, or a running cluster's.

    Parameters
    ----------
    workers : int
        1 stays in this process.
    scheduler : str or None
        Address of a dask scheduler, for instance ``tcp://node01:8786``; it must answer
        within dask's ``distributed.comm.timeouts.connect``.

    Raises
    ------
    UsageError
        There is no scheduler at that address.
    """
    # A task that reads a slide must not hand that to the cluster it runs on.
    with dask.config.set(scheduler="synchronous"):
        if scheduler is None and workers == 1:
            with _open_lanes() as lanes:
                yield lanes
        else:
            with _open_client(workers, scheduler) as client:
                yield _Cluster(client, 1 if scheduler else _threads(workers))


def _threads(workers: int) -> int:
    """CPU threads per worker; workflow managers grant them through OMP_NUM_THREADS."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    free = len(os.sched_getaffinity(0))
    total = min(int(granted), free) if granted.isdecimal() and int(granted) else free
    return max(total // workers, 1)


class _Lanes:
    def __init__(self) -> None:
        self.threads = _threads(1)
        self.pools = {
            "network": ThreadPoolExecutor(1),
            "blocks": ThreadPoolExecutor(self.threads),
        }

    def share(self, value: Any) -> Any:
        return value

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        after: Sequence[Task] = (),
        lane: str = "blocks",
    ) -> Task:
        return self.pools[lane].submit(_after, after, function, args)

    def completed(self, tasks: Sequence[Task]) -> Iterator[Any]:
        for task in as_completed(tasks):
            yield task.result()


@contextmanager
def _open_lanes() -> Iterator[_Lanes]:
    lanes = _Lanes()
    try:
        yield lanes
    finally:
        for pool in lanes.pools.values():
            pool.shutdown(cancel_futures=True)


def _after(
    before: Sequence[Future[Any]], function: Callable[..., Any], args: tuple[Any, ...]
) -> Any:
    for task in before:
        task.result()
    return function(*args)


class _Cluster:
    def __init__(self, client: Client, threads: int) -> None:
        self.client = client
        self.threads = threads
        self.numbers = itertools.count()

    def share(self, value: Any) -> Any:
        return self.client.scatter(value, broadcast=True, hash=False)

    def submit(
        self,
        function: Callable[..., Any],
        *args: Any,
        after: Sequence[Task] = (),
        lane: str = "blocks",
    ) -> Task:
        return self.client.submit(
            _on_worker,
            function,
            args[0],
            args[1:],
            list(after),
            key=f"{function.__name__}-{next(self.numbers)}",
            # Blocks that can be done go before the network's next tiles.
            priority=0 if lane == "network" else 1,
            pure=False,
        )

    def completed(self, tasks: Sequence[Task]) -> Iterator[Any]:
        from distributed import KilledWorker
        from distributed import as_completed as as_done

        try:
            for task in as_done(tasks):
                yield task.result()
        except KilledWorker as e:
            raise MemoryError("a worker was killed") from e


def _on_worker(
    function: Callable[..., Any], first: Any, rest: tuple[Any, ...], _: list[Any]
) -> Any:
    with dask.config.set(scheduler="synchronous"):
        return function(first, *rest)


@contextmanager
def _open_client(workers: int, scheduler: str | None) -> Iterator[Client]:
    from distributed import Client, LocalCluster

    if scheduler is not None:
        try:
            client = Client(scheduler)
        except (OSError, ValueError) as e:
            raise UsageError(
                f"--scheduler {scheduler}: no dask scheduler answers there; start one, "
                "or leave the option out"
            ) from e
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,
            memory_limit=None,
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client
