"""The holder of BLAS threads: who runs together, who waits, and that everything is restored."""

import threading

import pytest

from gpucnn.backends.cpu.threads import BlasThreads


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
