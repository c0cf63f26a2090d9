"""A coroutine that need not wait is done at once; one that waits goes on in whichever task takes it up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from registry.api.eager import Begun, Done, begin

T = TypeVar("T")


async def waiting_for(future: Awaitable[T]) -> T:
    return await future


async def carried_on(begun: Done[T] | Begun[T]) -> T:
    assert isinstance(begun, Begun)
    return await begun


def test_a_coroutine_that_does_not_wait_is_done_at_once() -> None:
    async def inner() -> int:
        return 7

    async def work() -> int:
        return await inner() * 6

    assert begin(work()) == Done(42)


def test_what_it_raises_at_once_is_raised_here() -> None:
    async def work() -> None:
        raise LookupError("nobody")

    with pytest.raises(LookupError, match="nobody"):
        begin(work())


def test_it_runs_up_to_where_it_waits_and_no_further() -> None:
    async def scenario() -> list[str]:
        told: list[str] = []
        future = asyncio.get_running_loop().create_future()

        async def work() -> None:
            told.append("before")
            told.append(await future)

        begun = begin(work())
        assert told == ["before"]
        future.set_result("after")
        await asyncio.sleep(0)
        assert told == ["before"]
        await carried_on(begun)
        return told

    assert asyncio.run(scenario()) == ["before", "after"]


@pytest.mark.parametrize("early", [True, False])
def test_a_task_carries_it_on_with_what_it_waited_for(early: bool) -> None:
    async def scenario() -> tuple[str, asyncio.Task[object] | None, asyncio.Task[object]]:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def work() -> tuple[str, asyncio.Task[object] | None]:
            return await future + "!", asyncio.current_task()

        begun = begin(work())
        if early:
            future.set_result("early")
        task = asyncio.create_task(carried_on(begun))
        await asyncio.sleep(0)
        if not early:
            assert not task.done()
            future.set_result("late")
        return *(await task), task

    result, current, task = asyncio.run(scenario())
    assert result == ("early!" if early else "late!")
    assert current is task


def test_it_may_wait_any_number_of_times() -> None:
    async def scenario() -> list[int]:
        loop = asyncio.get_running_loop()

        async def later(number: int) -> int:
            future: asyncio.Future[int] = loop.create_future()
            loop.call_soon(future.set_result, number)
            return await future

        async def work() -> list[int]:
            found = [await later(number) for number in range(5)]
            await asyncio.sleep(0)
            return found

        return await carried_on(begin(work()))

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4]


def test_a_bare_turn_of_the_event_loop_is_waited_for_too() -> None:
    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    async def scenario() -> str:
        return await carried_on(begin(work()))

    assert asyncio.run(scenario()) == "done"


def test_what_it_waits_for_fails_inside_it() -> None:
    async def scenario() -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        begun = begin(waiting_for(future))
        future.set_exception(LookupError("nobody"))
        await carried_on(begun)

    with pytest.raises(LookupError, match="nobody"):
        asyncio.run(scenario())


def test_it_may_handle_a_failure_and_wait_again() -> None:
    async def scenario() -> str:
        loop = asyncio.get_running_loop()
        first: asyncio.Future[str] = loop.create_future()
        second: asyncio.Future[str] = loop.create_future()

        async def work() -> str:
            try:
                return await first
            except LookupError as error:
                return f"{error}, {await second}"

        task = asyncio.create_task(carried_on(begin(work())))
        first.set_exception(LookupError("nobody"))
        await asyncio.sleep(0)
        assert not task.done()
        second.set_result("somebody")
        return await task

    assert asyncio.run(scenario()) == "nobody, somebody"


def test_cancelling_the_task_reaches_it() -> None:
    async def scenario() -> list[str]:
        told: list[str] = []

        async def work() -> None:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                told.append("cancelled")
                await asyncio.sleep(0)
                told.append("tidied up")
                raise

        task = asyncio.create_task(carried_on(begin(work())))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        return told

    assert asyncio.run(scenario()) == ["cancelled", "tidied up"]


def test_a_task_cancelled_at_its_work_cancels_what_it_waits_for() -> None:
    async def scenario() -> bool:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(carried_on(begin(waiting_for(future))))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return future.cancelled()

    assert asyncio.run(scenario())


def test_time_may_run_out_for_it_once_it_has_a_task() -> None:
    async def scenario() -> str:
        async def work() -> str:
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(0):
                    await asyncio.get_running_loop().create_future()
            except TimeoutError:
                return "too late"
            return "in time"

        return await carried_on(begin(work()))

    assert asyncio.run(scenario()) == "too late"
