"""An asset as a site writes it down: which class, where, and which channels play which part."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from models.alert import ChannelName, MonitorName
from models.configuration import Strict

Channels = ChannelName | Annotated[tuple[ChannelName, ...], Field(min_length=1)]


class AssetConfig(Strict):
    """One lift, one freezer, one flat. `channels`: role -> channel, or several channels."""

    model_config = ConfigDict(validate_by_alias=True, validate_by_name=True)

    name: MonitorName
    asset_class: str = Field(alias="class", description="one of `lastmile-edge assets`")
    place: str = Field(default="", max_length=64)
    channels: dict[str, Channels] = Field(min_length=1)
    parameters: dict[str, float] = Field(default_factory=dict)

    def channels_of(self, role: str) -> tuple[str, ...]:
        """Names of the channels that play `role`; none when nobody does."""
        given = self.channels.get(role, ())
        return (given,) if isinstance(given, str) else given
