"""The command line `minhbach`. Commands are loaded when they are called: `--help` waits for none of them."""

from __future__ import annotations

import importlib
import json
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS: dict[str, tuple[str, str]] = {
    "ingest": ("ingest", "Nạp tệp hồ sơ vào kho / load claim files into the lake"),
    "catalogue": ("catalogue", "Nạp, kiểm tra, tra danh mục / load, check and look up catalogues"),
    "quarantine": ("quarantine", "Hồ sơ, dòng bị từ chối / refused files and rows"),
    "quality": ("quality", "Chất lượng dữ liệu, phiếu lỗi phần mềm / data quality, software tickets"),
    "train": ("train", "Huấn luyện mô hình / fit the detectors and register a model"),
    "models": ("models", "Phiên bản mô hình / model versions, aliases, history"),
    "score": ("score", "Chấm điểm hồ sơ / score what changed"),
    "nightly": ("nightly", "Chạy đêm: nạp rồi chấm / ingest and score as one resumable run"),
    "worklist": ("worklist", "Hồ sơ nên đọc trong số giờ có / what to read in the hours there are"),
    "export": ("export", "Xuất danh sách xếp hạng / write a ranking to a file"),
    "evaluate": ("evaluate", "So với sự thật đã biết / compare a run with a truth folder"),
    "generate": ("generate", "Sinh hồ sơ giả lập / make synthetic claims"),
    "rules": ("rules", "Danh mục quy tắc / the rule catalogue"),
    "explain": ("explain", "Vì sao hồ sơ được nêu / why a claim is where it is"),
    "replay": ("replay", "Chạy lại một lượt chấm / score a past run again and compare bit for bit"),
    "users": ("users", "Tài khoản, vai trò, mã API / accounts, roles, API tokens"),
    "serve": ("serve", "Mở trang web và API / web page and API"),
    "doctor": ("doctor", "Kiểm tra cài đặt / check the installation"),
    "config": ("config", "Thiết lập đang dùng / effective settings"),
    "demo": ("demo", "Chạy thử từ đầu đến cuối / the whole way on synthetic claims"),
}


class Lazy(click.Group):
    """A group whose commands live in `service/commands/`, one module each."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"service.commands.{COMMANDS[cmd_name][0]}").command
        return _with_examples(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without loading them."""
        with formatter.section("Lệnh / Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


def _with_examples(command: click.Command) -> click.Command:
    """The help texts are raw strings, in which the mark that keeps click from wrapping examples is two characters."""
    if command.help:
        command.help = command.help.replace("\\b", "\b")
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_examples(below)
    return command


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="minhbach", prog_name="minhbach")
def cli() -> None:
    r"""Minh Bạch: dấu hiệu chi phí bất thường trong hồ sơ BHYT / signs of unusual cost in health insurance claims.

    \b
    Ví dụ / Examples:
      minhbach demo                        # thử toàn bộ / try everything
      minhbach ingest ho-so/ thang-09.zip  # nạp hồ sơ / load claims
      minhbach train && minhbach score     # học rồi chấm / learn, then score
      minhbach worklist --hours 40         # nên đọc gì / what to read
      minhbach export claim top.xlsx --top 200
      minhbach serve                       # http://127.0.0.1:8000

    Dữ liệu nằm trong MINHBACH_HOME (mặc định ./var) / All state lies under MINHBACH_HOME (default ./var).
    """


_with_examples(cli)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; every error leaves with its exit code and a sentence that says the way out."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        code = cli.main(arguments, prog_name="minhbach", standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of a pipe went away: `minhbach … | head`
        sys.stderr.close()
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the edge translates once what is ours and lets the rest through
        sys.exit(_explain(error, as_json="--json" in arguments))
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception, *, as_json: bool) -> int:
    from data.errors import MinhBachError

    if not isinstance(error, MinhBachError):
        raise error
    click.echo(f"{error.vi}\n{error}", err=True)
    if as_json:
        click.echo(json.dumps({"error": error.code, "message": str(error), "message_vi": error.vi}, ensure_ascii=False))
    return error.exit_code


if __name__ == "__main__":
    main()
