"""The lake: commits are whole, exactly once, and readers see one snapshot."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from data.lake import Lake, LakeLocked, UnknownSnapshot
from data.schema import columns


def now() -> datetime:
    return datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake", clock=now, memory="512MB")


def rows(table: str, *given: dict[str, object]) -> pl.DataFrame:
    wanted = columns(table)
    base = {"ma_cskcb": "98001", "month": 202609, "withdrawn": False, "ngay_vao": datetime(2026, 9, 1, 8)}
    return pl.DataFrame(
        [{name: {**base, **row}.get(name) for name in wanted} for row in given], schema=wanted, infer_schema_length=None
    )


def load(lake: Lake, commit_id: str, **tables: pl.DataFrame) -> int:
    with lake.writer("test"):
        folder = lake.staging(commit_id)
        staged = {}
        for name, frame in tables.items():
            path = folder / f"{name}.parquet"
            frame.write_parquet(path)
            staged[name] = [path]
        return lake.commit("load", commit_id, staged, {"by": "test"})


def current(lake: Lake, snapshot: int | None = None) -> list[tuple[str, int]]:
    with lake.reader(snapshot) as reader:
        return reader.pl("select ma_lk, version from encounter order by ma_lk").rows()


def test_an_empty_lake_reads_as_empty_tables(lake: Lake) -> None:
    assert lake.snapshot() == 0
    assert current(lake) == []
    with lake.reader() as reader:
        assert reader.claim_tables().service_line.collect().is_empty()


def test_a_resend_replaces_and_a_withdrawal_takes_out_but_history_stays(lake: Lake) -> None:
    load(lake, "a", encounter=rows("encounter", {"ma_lk": "1", "version": 1}, {"ma_lk": "2", "version": 2}))
    load(lake, "b", encounter=rows("encounter", {"ma_lk": "1", "version": 3}))
    load(lake, "c", encounter=rows("encounter", {"ma_lk": "2", "version": 4, "withdrawn": True}))
    assert current(lake) == [("1", 3)]
    assert current(lake, 1) == [("1", 1), ("2", 2)]
    with lake.reader() as reader:
        assert reader.pl("select count(*) as n from encounter_history")["n"][0] == 4


def test_lines_follow_the_current_version_of_their_encounter(lake: Lake) -> None:
    line = {"ma_lk": "1", "row_no": 1}
    load(
        lake,
        "a",
        encounter=rows("encounter", {"ma_lk": "1", "version": 1}),
        drug_line=rows("drug_line", line | {"version": 1, "ma_thuoc": "old"}),
    )
    load(
        lake,
        "b",
        encounter=rows("encounter", {"ma_lk": "1", "version": 2}),
        drug_line=rows("drug_line", line | {"version": 2, "ma_thuoc": "new"}),
    )
    with lake.reader() as reader:
        assert reader.pl("select ma_thuoc from drug_line")["ma_thuoc"].to_list() == ["new"]
        assert reader.claim_tables().drug_line.collect()["ma_thuoc"].to_list() == ["new"]


def test_the_same_commit_twice_counts_once(lake: Lake) -> None:
    first = load(lake, "a", encounter=rows("encounter", {"ma_lk": "1", "version": 1}))
    again = load(lake, "a", encounter=rows("encounter", {"ma_lk": "1", "version": 1}))
    assert first == again == lake.snapshot() == 1
    with lake.reader() as reader:
        assert reader.pl("select count(*) as n from encounter_history")["n"][0] == 1


def test_a_commit_cut_off_after_its_manifest_is_rolled_forward_by_the_next_writer(lake: Lake) -> None:
    with lake.writer("test"):
        folder = lake.staging("a")
        path = folder / "encounter.parquet"
        rows("encounter", {"ma_lk": "1", "version": 1}).write_parquet(path)
        manifest = {"kind": "load", "commit_id": "a", "at": "t", "staged": {"encounter": [path.name]}, "info": {}}
        (folder / "manifest.json").write_text(json.dumps(manifest))
    assert current(lake) == []
    with lake.writer("test"):
        pass
    assert current(lake) == [("1", 1)]
    assert not list((lake.root / "staging").iterdir())


def test_a_commit_cut_off_between_its_tables_is_finished_once(lake: Lake) -> None:
    encounter = rows("encounter", {"ma_lk": "1", "version": 1})
    with lake.writer("test"):
        folder = lake.staging("a")
        encounter.write_parquet(folder / "encounter.parquet")
        rows("drug_line", {"ma_lk": "1", "version": 1, "row_no": 1}).write_parquet(folder / "drug_line.parquet")
        staged = {"encounter": ["encounter.parquet"], "drug_line": ["drug_line.parquet"]}
        (folder / "manifest.json").write_text(
            json.dumps({"kind": "load", "commit_id": "a", "at": "t", "staged": staged, "info": {}})
        )
        lake._append("encounter", "a", [folder / "encounter.parquet"])  # as far as the killed process came
    assert current(lake) == []
    with lake.writer("test"):
        pass
    with lake.reader() as reader:
        assert reader.pl("select count(*) as n from encounter_history")["n"][0] == 1
        assert reader.pl("select count(*) as n from drug_line")["n"][0] == 1


def test_staging_without_a_manifest_leaves_nothing(lake: Lake) -> None:
    with lake.writer("test"):
        rows("encounter", {"ma_lk": "1", "version": 1}).write_parquet(lake.staging("a") / "encounter.parquet")
    with lake.writer("test"):
        pass
    assert lake.snapshot() == 0
    assert not list((lake.root / "staging").iterdir())


def test_a_second_writer_is_refused_and_told_who_holds_the_lock(lake: Lake, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom datetime import datetime\nfrom data.lake import Lake, LakeLocked\n"
        "try:\n    with Lake(Path(sys.argv[1]), clock=datetime.now).writer('second'): print('in')\n"
        "except LakeLocked as error: print(error.exit_code, error)\n"
    )
    with lake.writer("first"):
        said = subprocess.run(
            [sys.executable, "-c", code, str(lake.root)], capture_output=True, text=True, check=True
        ).stdout
    assert said.startswith("3 ")
    assert "first" in said
    with lake.writer("third"):
        pass
    assert issubclass(LakeLocked, Exception)


def test_an_unknown_snapshot_names_those_there_are(lake: Lake) -> None:
    load(lake, "a", encounter=rows("encounter", {"ma_lk": "1", "version": 1}))
    with pytest.raises(UnknownSnapshot, match="0 to 1"):
        lake.reader(9)


def test_claims_from_outside_stand_in_for_the_lakes_version(lake: Lake) -> None:
    load(
        lake,
        "a",
        encounter=rows("encounter", {"ma_lk": "1", "version": 1, "patient_id": "p"}),
        drug_line=rows("drug_line", {"ma_lk": "1", "version": 1, "row_no": 1}),
    )
    outside = rows("encounter", {"ma_lk": "1", "version": 0, "patient_id": "p"})
    with lake.reader() as reader:
        tables = reader.claim_tables("patient_id = ?", ["p"], extra={"encounter": outside})
        assert tables.encounter.collect()["version"].to_list() == [0]
        assert tables.drug_line.collect().is_empty()
