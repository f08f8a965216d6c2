"""The holder of BLAS threads: who runs together, who waits, and that everything is restored."""

import threading

import pytest
from threadpoolctl import threadpool_limits

from gpucnn.backends.cpu.threads import BlasThreads, blas_threads


class Library:
    """A BLAS as threadpoolctl shows it."""

    def __init__(self, threads):
        self.num_threads = threads
        self.history = []

    def set_num_threads(self, threads):
        self.num_threads = threads
        self.history.append(threads)


def test_the_number_is_held_and_restored():
    blas = Library(8)
    holder = BlasThreads([blas])
    with holder.hold(1):
        assert blas.num_threads == 1
        with holder.hold(1):  # the same number: together, and restored only by the last
            assert blas.num_threads == 1
        assert blas.num_threads == 1
    assert blas.num_threads == 8
    assert blas.history == [1, 8]


class Kept(Library):
    """OpenBLAS as threadpoolctl 3.8 shows it: the first thread that sets a number keeps it, and others do nothing."""

    def __init__(self, threads):
        super().__init__(threads)
        self.owner = None

    def set_num_threads(self, threads):
        self.owner = self.owner or threading.current_thread()
        if self.owner is threading.current_thread():
            super().set_num_threads(threads)

    def clear_controlling_thread(self, force=False):
        if force or self.owner is threading.current_thread():
            self.owner = None


def test_a_library_that_another_thread_keeps():
    blas = Kept(8)
    blas.set_num_threads(4)
    holder, seen = BlasThreads([blas]), []

    def other():
        with holder.hold(1):
            seen.append(blas.num_threads)

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [1]
    assert (blas.num_threads, blas.owner) == (4, None)


def test_every_thread_holds_this_process_s_blas():
    """Whoever set it before: products of one thread and of several round differently."""
    numbers = []

    def caller():
        with blas_threads().hold(1):
            numbers.append([lib.num_threads for lib in blas_threads().libraries])

    with threadpool_limits(2):
        for _ in range(3):
            caller()
            thread = threading.Thread(target=caller)
            thread.start()
            thread.join()
    assert {n for row in numbers for n in row} <= {1}
    assert len(numbers) == 6


@pytest.mark.parametrize(("api", "layer", "alone"), [("mkl", None, True), ("openblas", "openmp", True), ("openblas", "pthreads", False)])
def test_threads_that_have_numbers_of_their_own(api, layer, alone):
    blas = Library(8)
    blas.internal_api, blas.threading_layer = api, layer
    holder = BlasThreads([blas])
    holder.begin()
    assert blas.num_threads == (1 if alone else 8)
    blas.num_threads = 8
    with holder.hold(1):
        blas.num_threads = 6  # another thread's own, which comes in second
        with holder.hold(1):
            assert blas.num_threads == (1 if alone else 6)
        assert blas.num_threads == 6
    assert blas.num_threads == 8


def test_restored_after_an_error():
    blas = Library(4)
    holder = BlasThreads([blas])
    with pytest.raises(ZeroDivisionError), holder.hold(2):
        raise ZeroDivisionError
    assert blas.num_threads == 4


def test_a_number_that_is_set_already_is_left_alone():
    blas = Library(1)
    with BlasThreads([blas]).hold(1):
        pass
    assert blas.history == []


def test_another_number_waits():
    holder, entered, leave = BlasThreads([Library(4)]), threading.Event(), threading.Event()

    def other():
        with holder.hold(2):
            entered.set()
            leave.wait(10)

    with holder.hold(1):
        thread = threading.Thread(target=other)
        thread.start()
        assert not entered.wait(0.1)
    assert entered.wait(10)
    leave.set()
    thread.join(10)
    assert not thread.is_alive()


def test_nobody_starves():
    """One that waits for another number gets its turn before those who come after it."""
    holder, order, waiting = BlasThreads([Library(4)]), [], threading.Event()

    def other():
        waiting.set()
        with holder.hold(2):
            order.append("other")

    def later():
        with holder.hold(1):
            order.append("later")

    with holder.hold(1):
        first = threading.Thread(target=other)
        first.start()
        waiting.wait(10)
        while not holder._queue:
            pass
        second = threading.Thread(target=later)
        second.start()
        second.join(0.1)
        assert order == []
    first.join(10)
    second.join(10)
    assert order == ["other", "later"]


def test_the_real_blas_is_seen():
    """Unless NumPy's BLAS is one that threadpoolctl does not know, which macOS's is."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    known = [lib for lib in threadpoolctl.ThreadpoolController().lib_controllers if lib.user_api == "blas"]
    if not known:
        pytest.skip("threadpoolctl knows no BLAS of this NumPy")
    before = [lib.num_threads for lib in known]
    with BlasThreads().hold(1):
        assert {lib.num_threads for lib in known} == {1}
    assert [lib.num_threads for lib in known] == before
