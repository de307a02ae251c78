"""The group of verbs, and what happens to errors: one sentence and an exit code, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from ..base.errors import Error
from .bench import bench
from .classify import classify
from .compare import diff, verify
from .convert import convert
from .cut import extract
from .demo import demo
from .freeze import freeze, unfreeze
from .inspect import inspect
from .retrain import retrain
from .run import run

DONE, NO, FAILED, STOPPED = 0, 1, 2, 130
"""Exit codes: done; the answer is no; it could not be done; stopped by Ctrl-C."""


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="cryograph")
def cryograph() -> None:
    """Open, join, run, retrain and convert TensorFlow model files without TensorFlow.

    PATH and MODEL are whatever you have at hand: any member file of a checkpoint, its directory, a .meta, .pb or
    .pbtxt, a SavedModel directory or the .pb inside it. Begin with `cryograph inspect PATH`: it says what that is, what
    it lacks, and what its inputs and outputs are called.

    Exit codes: 0 done, 1 the answer is no (diff, verify), 2 it could not be done, 130 stopped by Ctrl-C.
    """


for _verb in (inspect, freeze, unfreeze, extract, convert, diff, verify, run, classify, retrain, bench, demo):
    cryograph.add_command(_verb)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits with its code."""
    sys.exit(call(arguments))


def call(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line and gives its exit code."""
    try:
        result = cryograph.main(args=None if arguments is None else list(arguments), standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else DONE
    except Error as error:
        click.echo(f"cryograph: {error}", err=True)
        return FAILED
    except click.exceptions.Abort:
        click.echo("cryograph: stopped; nothing half-written is left.", err=True)
        return STOPPED
    except click.ClickException as error:
        error.show()
        return FAILED
    except KeyboardInterrupt:
        click.echo("cryograph: stopped; nothing half-written is left.", err=True)
        return STOPPED
    except (BrokenPipeError, SystemExit):  # the reader (`head`, a pager) has gone, as click says by SystemExit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except MemoryError:
        click.echo("cryograph: out of memory; the model is larger than this machine can hold at once.", err=True)
        return FAILED
