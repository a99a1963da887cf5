"""What an operator may set: from `MINHBACH_*` in the environment, else from the TOML file `MINHBACH_CONFIG` names.

The environment is read here and nowhere else; everything below takes plain values. No secret has a built-in value.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import tempfile
import tomllib
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from data.errors import MinhBachError
from service.listing import BASE_MINUTES, LINE_MINUTES, SIGN_MINUTES, Pace

PREFIX = "MINHBACH_"
CONFIG_VARIABLE = "MINHBACH_CONFIG"
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
KEY_BYTES = 32
MASK = "********"


class BadSettings(MinhBachError):
    """A setting is unknown or has a value that cannot be used."""

    code = "bad_settings"
    exit_code = 2


class MissingKey(MinhBachError):
    """There is no key for pseudonyms yet, or its file is damaged."""

    code = "missing_key"


class Settings(BaseSettings):
    """Effective settings of one process. Build it with `load_settings`, which explains a wrong value."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    home: Path = Path("var")
    """The folder of all state; two homes never touch each other."""
    database_url: str | None = Field(default=None, repr=False)
    """SQLAlchemy address of the relational database; none: `minhbach.db` in the home."""
    mlflow_tracking_uri: str | None = Field(default=None, repr=False)
    """MLflow server; none: `MLFLOW_TRACKING_URI`, else `mlflow.db` in the home."""
    pseudonym_key: SecretStr | None = None
    """Key of patient pseudonyms; none: the home's key file."""
    duckdb_memory: str = "4GB"
    duckdb_threads: int = Field(default=2, ge=1, le=1024)
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    workers: int = Field(default=1, ge=1, le=256)
    secure_cookies: bool = False
    """Send the session cookie over HTTPS only: set it wherever the service is not on the user's own machine."""
    session_hours: float = Field(default=12, gt=0, le=24 * 31)
    one_time_password_hours: float = Field(default=24, gt=0, le=24 * 31)
    review_share: float = Field(default=0.02, gt=0, le=1)
    """Share of the scored claims that assessors can review: the threshold of a flag follows from it."""
    reading_minutes_base: float = Field(default=BASE_MINUTES, gt=0, le=24 * 60)
    """Minutes an assessor needs for any claim. An assumption, like the two below: set what your assessors measure."""
    reading_minutes_sign: float = Field(default=SIGN_MINUTES, ge=0, le=24 * 60)
    """Minutes more for each sign on it."""
    reading_minutes_line: float = Field(default=LINE_MINUTES, ge=0, le=24 * 60)
    """Minutes more for each line that signs name."""
    max_file_mb: int = Field(default=1024, ge=1)
    """Largest claim file read, after unpacking; a larger one is quarantined."""
    lang: Literal["vi", "en"] = "vi"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("home")
    @classmethod
    def _expand_home(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("duckdb_memory")
    @classmethod
    def _check_memory(cls, value: str) -> str:
        if not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B)", value):
            raise ValueError("write an amount such as 4GB or 512MiB")
        return value

    @field_validator("pseudonym_key")
    @classmethod
    def _check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < KEY_BYTES:
            raise ValueError(f"a key has at least {KEY_BYTES} bytes")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the parent's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Strongest first: what the caller gives, our environment, the TOML file, MLflow's own variable."""
        sources = [init_settings, env_settings]
        if path := os.environ.get(CONFIG_VARIABLE):
            sources.append(TomlConfigSettingsSource(settings_cls, toml_file=path))
        if uri := os.environ.get(TRACKING_VARIABLE):
            sources.append(InitSettingsSource(settings_cls, init_kwargs={"mlflow_tracking_uri": uri}))
        return tuple(sources)

    @property
    def database(self) -> str:
        """Address of the relational database, the default filled in."""
        return self.database_url or f"sqlite:///{self.home.absolute() / 'minhbach.db'}"

    @property
    def tracking_uri(self) -> str:
        """Address of MLflow's store, the default filled in."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.absolute() / 'mlflow.db'}"

    @property
    def pace(self) -> Pace:
        """How long claims take to read."""
        return Pace(base=self.reading_minutes_base, sign=self.reading_minutes_sign, line=self.reading_minutes_line)

    @property
    def pseudonym_key_file(self) -> Path:
        """Where the key lies when the setting does not give it."""
        return self.home / "secrets" / "pseudonym.key"

    def effective(self) -> dict[str, str | int | float | bool | None]:
        """Every setting as it takes effect, secrets masked: what `minhbach config` prints."""
        shown: dict[str, str | int | float | bool | None] = {}
        for name in type(self).model_fields:
            value: object = getattr(self, name)
            shown[name] = value if isinstance(value, str | int | float | bool | None) else str(value)
        shown["home"] = str(self.home.absolute())
        shown["database_url"] = _mask_password(self.database)
        shown["mlflow_tracking_uri"] = _mask_password(self.tracking_uri)
        shown["pseudonym_key"] = MASK if self.pseudonym_key else f"file {self.pseudonym_key_file.absolute()}"
        return shown

    def pseudonym_key_bytes(self, *, create: bool) -> bytes:
        """The key of patient pseudonyms; `create` makes the home's key file when there is none.

        Only a writer of claims may create it: a reader with a fresh key would see no patient's history.
        Raises MissingKey.
        """
        if self.pseudonym_key is not None:
            return self.pseudonym_key.get_secret_value().encode()
        path = self.pseudonym_key_file
        if create and not path.exists():
            _create_key(path)
        try:
            key = path.read_bytes()
        except FileNotFoundError:
            raise MissingKey(
                f"{path} does not exist: load claims once, or set MINHBACH_PSEUDONYM_KEY",
                vi=f"Chưa có tệp {path}: hãy nạp hồ sơ một lần hoặc đặt MINHBACH_PSEUDONYM_KEY",
            ) from None
        if len(key) != KEY_BYTES:
            raise MissingKey(
                f"{path} holds {len(key)} bytes, not {KEY_BYTES}: restore it from a backup",
                vi=f"Tệp {path} có {len(key)} byte, không phải {KEY_BYTES}: hãy khôi phục từ bản sao lưu",
            )
        return key


def load_settings(**given: object) -> Settings:
    """Settings of this process, `given` values first. Raises BadSettings, naming the setting, never its value."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # no network but what is configured
    path = os.environ.get(CONFIG_VARIABLE)
    if path and not Path(path).is_file():
        raise BadSettings(
            f"{CONFIG_VARIABLE} names {path}, which is not a file",
            vi=f"{CONFIG_VARIABLE} chỉ tới {path}, nhưng đó không phải là một tệp",
        )
    try:
        return Settings(**given)  # pyright: ignore[reportArgumentType] - pydantic checks each value
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
    except (SettingsError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults = str(error)
    raise BadSettings(
        f"settings cannot be used: {faults}. Settings are {PREFIX}NAME variables or keys of the {CONFIG_VARIABLE} file",
        vi=f"Thiết lập không dùng được: {faults}. Thiết lập là biến {PREFIX}TÊN hoặc khoá trong tệp {CONFIG_VARIABLE}",
    )


def unread_variables() -> list[str]:
    """`MINHBACH_*` variables that no setting reads, most likely misspelt."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields} | {CONFIG_VARIABLE}
    return sorted(name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known)


def _mask_password(address: str) -> str:
    hidden = re.sub(r"(://[^/:@?]*):.*@", rf"\1:{MASK}@", address)
    return re.sub(r"([?&]\w*password)=[^&]*", rf"\1={MASK}", hidden)


def _create_key(path: Path) -> None:
    """Link a finished file into place: two processes starting at once end with one key, never with half of one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent)  # made readable by the owner only
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        Path(name).unlink()
