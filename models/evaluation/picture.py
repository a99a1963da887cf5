"""The gain curve: share of improper money found against the share of claims read. The same figures, the same bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from data.errors import MinhBachError
from models.evaluation.measures import BUDGETS, MAIN

FORMATS = (".svg", ".png")
BEST = 3  # baselines drawn: more lines are no picture
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # told apart by colour-blind eyes too


class BadPicture(MinhBachError):
    """A picture that cannot be drawn as asked."""

    code, http_status, exit_code = "bad_picture", 422, 2


def check_name(path: Path) -> None:
    """Raise BadPicture unless the name says a format we draw."""
    if path.suffix.lower() not in FORMATS:
        raise BadPicture(
            f"{path.name}: a picture ends in one of {', '.join(FORMATS)}",
            vi=f"{path.name}: tên hình phải kết thúc bằng {', '.join(FORMATS)}",
        )


def draw(
    path: Path,
    read: Sequence[float],
    found: Mapping[str, Sequence[float]],
    *,
    labels: Mapping[str, str | None],
    names: Mapping[str, str] | None = None,
) -> None:
    """Draw curves to `path`; raises BadPicture for a name that is neither SVG nor PNG.

    Args:
        path: where to; its ending says the format.
        read: shares of claims read, of the horizontal axis.
        found: by ranking, the share of improper money found at each of `read`; ours is "minhbach".
        labels: by ranking, how much of the truth it was taught; these are drawn dashed, as ceilings.
        names: what to call the rankings, where not by their own names.
    """
    check_name(path)
    from matplotlib import rc_context  # slow import: only who draws waits for it
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    called = dict(names or {})
    with rc_context({"svg.hashsalt": "minhbach", "font.size": 9, "font.family": "DejaVu Sans"}):
        figure = Figure(figsize=(7.2, 4.8), layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.subplots()
        for budget in BUDGETS:
            axes.axvline(budget, color="#dddddd", linewidth=1, zorder=0)
        axes.plot(read, read, color="#999999", linestyle=":", label=called.get("random", "random"))
        for number, name in enumerate(_chosen(read, found, labels)):
            ours = name == "minhbach"
            axes.plot(
                read,
                found[name],
                color=COLOURS[number % len(COLOURS)],
                linewidth=2.4 if ours else 1.3,
                linestyle="--" if labels.get(name) and not ours else "-",
                label=called.get(name, name),
                zorder=4 if ours else 3,
            )
        axes.set_xscale("log")
        axes.set_xlim(read[0], 1.0)
        axes.set_ylim(0.0, 1.02)
        axes.set_xticks([0.001, 0.01, 0.02, 0.05, 0.1, 1.0])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g} %"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f} %"))
        axes.set_xlabel("hồ sơ đã đọc / claims read")
        axes.set_ylabel("tiền sai tìm được / improper money found")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, loc="outside lower center", ncols=3, fontsize=8)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".svg":
            figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
        else:
            figure.savefig(path, format="png", dpi=130, metadata={"Software": None})


def _chosen(read: Sequence[float], found: Mapping[str, Sequence[float]], labels: Mapping[str, str | None]) -> list[str]:
    """Ours, the baselines that find most at the budget rankings are compared by, then those taught the truth."""
    at = min(range(len(read)), key=lambda place: abs(read[place] - MAIN))
    plain = [name for name in found if name not in ("minhbach", "random") and not labels.get(name)]
    best = sorted(plain, key=lambda name: (-found[name][at], name))[:BEST]
    ceilings = [name for name in found if labels.get(name) and name != "minhbach"]
    return [*(["minhbach"] if "minhbach" in found else []), *best, *ceilings]
