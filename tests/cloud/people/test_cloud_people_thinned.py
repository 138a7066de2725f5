"""A chart says within which error its values are, where any of them were thinned."""

from __future__ import annotations

import numpy as np
from cloud_people_browser import Browser
from cloud_people_street import Street

from cloud.fleet.channels import take_table
from cloud.fleet.tables import Channel, Gateway
from cloud.series.store import Arrival
from cloud.storage.engine import transaction
from models.clock import SECOND_NS
from models.readings import Quality, ReadingBlock
from models.wire.columns import encode_columns
from models.wire.messages import ChannelEntry, ChannelTable

ENTRY = ChannelEntry(number=3, name="boiler/flow", unit="L/min", resolution=0.1, thinned_within=0.5)


def test_chart_tells_the_error_of_spans_that_were_thinned(street: Street, browser: Browser) -> None:
    with transaction(street.engine) as session:
        take_table(session, session.get_one(Gateway, "gw-1"), 1, ChannelTable(channels=(ENTRY,)))
        channel = session.query(Channel).filter_by(name=ENTRY.name).one().id
    times = street.now - np.arange(200, 0, -1, dtype=np.int64) * SECOND_NS
    quality = np.where(np.arange(200) < 100, int(Quality.THINNED), 0).astype(np.uint8)
    block = ReadingBlock.of(np.full(200, 3), times, np.full(200, 7.5), quality)
    arrival = Arrival(
        "gw-1", 1, 1, bytes(16), street.now, encode_columns(block, np.full(4, 0.1)), int(times[0]),
        int(times[-1]), 200,
    )  # fmt: skip
    browser.app.state.web.store.put([arrival])
    browser.sign_in("wang")

    def within(start: int, end: int, points: int) -> float | None:
        span = {"start": str(start), "end": str(end), "points": points}
        return browser.get("/series", channel=channel, **span).json()["thinned_within"]

    for points in (600, 10):
        assert within(int(times[0]), street.now, points) == 0.5
        assert within(int(times[120]), street.now, points) is None
