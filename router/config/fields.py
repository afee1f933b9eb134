"""The kinds of values a configuration holds: AE titles, addresses, ports, paths. Looks nothing up."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

_HOST_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^:\[\]]+)):([0-9]{1,5})")


def refusal(message: str, **context: Any) -> PydanticCustomError:  # noqa: ANN401
    """The error a validator raises: `message` as it stands."""
    return PydanticCustomError("config", "{message}", {"message": message, **context})


class Part(BaseModel):
    """What every part of the configuration shares: frozen, no unknown keys, and no value in its representation."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
        arbitrary_types_allowed=True,
    )

    def __repr__(self) -> str:
        """The names of the keys that are set: values may have come from a secret."""
        return f"{type(self).__name__}({', '.join(sorted(self.model_fields_set))})"

    __str__ = __repr__


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen: a host (an address or a name) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _ae_title(text: str) -> str:
    title = text.strip()
    if not 1 <= len(title) <= 16:
        raise refusal(f"{text!r} is not an AE title: 1 to 16 characters")
    if "\\" in title or not title.isascii() or not title.isprintable():
        raise refusal(f"{text!r} is not an AE title: ASCII without backslash and control characters")
    return title


def _port(value: object) -> int:
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise refusal(f"{text!r} is not a port, 1 to 65535")
    return int(text)


def _count(value: object) -> int:
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) == 0:
        raise refusal(f"{text!r} is not a number from 1 to 9999")
    return int(text)


def _is_host(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        labels = text.removesuffix(".").split(".")
        return len(text) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdecimal()
    return True


def _host(text: str) -> str:
    host = text.strip()
    if not _is_host(host):
        raise refusal(f"{text!r} is neither an address nor a name of a machine")
    return host


def _sender(text: str) -> str:
    host = text.strip()
    if "/" not in host:
        return _host(host)
    try:
        ipaddress.ip_network(host)
    except ValueError:
        try:
            network = str(ipaddress.ip_network(host, strict=False))
        except ValueError:
            raise refusal(f"{text!r} is not a network such as 10.1.0.0/16") from None
        raise refusal(f"{text!r} is not a network: it has bits beyond its mask", suggestion=network) from None
    return host


def _path(text: object) -> Path:
    if not isinstance(text, str) or not text.strip():
        raise refusal("a path must be text")
    if "\0" in text:
        raise refusal("a path cannot hold a zero character")
    return Path(text.strip()).expanduser()


def _address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    match = _ADDRESS.fullmatch(str(value).strip())
    if not match or not _is_host(match[1] or match[2]):
        raise refusal(f"{value!r} is not an address to listen on, such as 0.0.0.0:11112")
    return Address(match[1] or match[2], _port(match[3]))


def _factor(value: object) -> float:
    text = str(value).strip()
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", text) or not 1 <= float(text) <= 100:
        raise refusal(f"{text!r} is not a factor from 1 to 100")
    return float(text)


AeTitle = Annotated[str, AfterValidator(_ae_title), Field(json_schema_extra={"maxLength": 16})]
Port = Annotated[int, PlainValidator(_port), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 65535})]
Count = Annotated[int, PlainValidator(_count), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 9999})]
Host = Annotated[str, AfterValidator(_host)]
Sender = Annotated[str, AfterValidator(_sender)]
FilePath = Annotated[Path, PlainValidator(_path), WithJsonSchema({"type": "string"})]
ListenAddress = Annotated[
    Address,
    PlainValidator(_address),
    PlainSerializer(str),
    WithJsonSchema({"type": "string", "examples": ["0.0.0.0:11112"]}),
]
Factor = Annotated[float, PlainValidator(_factor), WithJsonSchema({"type": "number", "minimum": 1, "maximum": 100})]
