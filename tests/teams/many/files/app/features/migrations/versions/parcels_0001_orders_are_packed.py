"""Orders are packed, written in another branch than what stands beside it."""

import sqlalchemy as sa
from alembic import op

revision = "parcels_0001"
down_revision = "features_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("packed_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_column("packed_at")
