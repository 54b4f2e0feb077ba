"""Ctrl-C: the command ends with one line, whatever libraries make of it on the way out."""

import _thread
import os
import signal
import sys
import threading

__all__ = ["INTERRUPTED", "ctrl_c"]

#: The exit code.
INTERRUPTED = 130


class _CtrlC:
    """Whether Ctrl-C was pressed, once :meth:`watch` is called.

    It raises KeyboardInterrupt, as without us. What follows of that is no news: a library's own
    errors, and those of its threads and destructors. Where a destructor swallows it, it is raised
    again behind.
    """

    pressed = False

    def watch(self) -> None:
        """Begin; a program that is started with SIGINT ignored goes on ignoring it."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._press)
            sys.unraisablehook = self._unraisable
            threading.excepthook = self._of_thread

    def leave(self) -> None:
        """End the process at once on Ctrl-C from now on: all is done that must be."""
        if signal.getsignal(signal.SIGINT) == self._press:
            signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
            # what CPython remembers of a text that it was executing, as of a named tuple, and would
            # end with SIGINT for, is forgotten with the next
            exec("")

    def _press(self, _signal, _frame) -> None:
        import logging  # late: --help does without
        import warnings

        self.pressed = True
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")  # Amaranth's, of a design that is given up half made
        raise KeyboardInterrupt

    def _unraisable(self, args) -> None:
        if not self.pressed:
            sys.__unraisablehook__(args)
        elif args.exc_type is KeyboardInterrupt:
            _thread.interrupt_main()

    def _of_thread(self, args) -> None:
        if not self.pressed:
            threading.__excepthook__(args)


ctrl_c = _CtrlC()
