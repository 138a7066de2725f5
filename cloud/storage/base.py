"""Declarative bases of the two databases; column types every table shares."""

from __future__ import annotations

from typing import Annotated, Any

from sqlalchemy import JSON, BigInteger, Integer, LargeBinary, MetaData, String, Text
from sqlalchemy.orm import DeclarativeBase, mapped_column

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

# SQLite gives a rising rowid only to INTEGER.
RISING = BigInteger().with_variant(Integer(), "sqlite")

Name = Annotated[str, mapped_column(String(64))]
LongName = Annotated[str, mapped_column(String(128))]
Words = Annotated[str, mapped_column(Text)]
At = Annotated[int, mapped_column(BigInteger)]  # UTC, nanoseconds since 1970
Number = Annotated[int, mapped_column(BigInteger)]
Raw = Annotated[bytes, mapped_column(LargeBinary)]
Json = Annotated[dict[str, Any], mapped_column(JSON)]
RisingId = Annotated[int, mapped_column(RISING, primary_key=True, autoincrement=True)]


class Base(DeclarativeBase):
    """Tables of lastmile.db: everything but the series."""

    metadata = MetaData(naming_convention=_NAMING)


class SeriesBase(DeclarativeBase):
    """Tables of series.db: bulk identities, landed messages, chunks; written by ingest alone."""

    metadata = MetaData(naming_convention=_NAMING)
