"""thinning and the clock last seen"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "main_0003"
down_revision = "main_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.add_column(sa.Column("thinned_within", sa.Float(), server_default="0", nullable=False))
    with op.batch_alter_table("server_clock", schema=None) as batch_op:
        batch_op.add_column(sa.Column("seen_at", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("server_clock", schema=None) as batch_op:
        batch_op.drop_column("seen_at")
    with op.batch_alter_table("channel", schema=None) as batch_op:
        batch_op.drop_column("thinned_within")
