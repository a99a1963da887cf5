"""What the command line prints: one JSON object when asked for, else words in the user's language, progress aside."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from service.bootstrap import App


class Console:
    """Standard output for results, standard error for everything else."""

    def __init__(self, *, as_json: bool, lang: Literal["vi", "en"]) -> None:
        """`as_json`: exactly one object goes to standard output."""
        self.as_json = as_json
        self.lang: Literal["vi", "en"] = lang

    def text(self, vi: str, en: str) -> str:
        """The one of the user's language."""
        return vi if self.lang == "vi" else en

    def step(self, vi: str, en: str) -> None:
        """One line about what goes on."""
        click.echo(self.text(vi, en), err=True)

    def result(self, value: Mapping[str, Any], show: Callable[[], None] | None = None) -> None:
        """The command's result: the object as JSON, or `show`, or the object line by line."""
        if self.as_json:
            click.echo(json.dumps(value, ensure_ascii=False, default=str))
        elif show:
            show()
        else:
            for key, item in value.items():
                click.echo(f"{key}: {item}")

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str | None = None) -> None:
        """A table for people."""
        from rich.console import Console as Rich
        from rich.table import Table

        table = Table(*heads, title=title, title_justify="left", header_style="bold", expand=False)
        for row in rows:
            table.add_row(*("" if cell is None else str(cell) for cell in row))
        width = None if sys.stdout.isatty() else 160
        Rich(width=width, highlight=False).print(table)

    @contextmanager
    def progress(self, vi: str, en: str) -> Generator[Callable[[int, int], None]]:
        """A bar on a terminal; elsewhere one line at the start and one at each quarter.

        A total of 0 is one that is not known yet.
        """
        label = self.text(vi, en)
        if sys.stderr.isatty() and not self.as_json:
            from rich.console import Console as Rich
            from rich.progress import Progress

            with Progress(console=Rich(stderr=True), transient=True) as bars:
                task = bars.add_task(label, total=None)
                yield lambda done, total: bars.update(task, completed=done, total=total or None)
            return
        click.echo(f"{label} …", err=True)
        told = 0

        def tell(done: int, total: int) -> None:
            nonlocal told
            if not total:  # how much there is will only be known at the end: say how far it is, ever more rarely
                if done >= 2 * told:
                    told = done
                    click.echo(f"{label}: {done}", err=True)
                return
            quarter = 4 * done // total
            if quarter > told:
                told = quarter
                click.echo(f"{label}: {100 * done // total} %", err=True)

        yield tell

    @contextmanager
    def steps(self, words: Mapping[str, tuple[str, str]]) -> Generator[Callable[[str], Callable[[int, int], None]]]:
        """One `progress` after the other: called with the next step's name it ends the one before."""
        with ExitStack() as shown:

            def step(name: str) -> Callable[[int, int], None]:
                shown.close()
                return shown.enter_context(self.progress(*words[name]))

            yield step


def json_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--json` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="In đúng một đối tượng JSON / print one JSON object.")(
        command
    )


def start(as_json: bool = False) -> tuple[App, Console]:
    """The application and the console of this process."""
    from service.bootstrap import App
    from service.settings import load_settings

    settings = load_settings()
    return App(settings), Console(as_json=as_json, lang=settings.lang)
