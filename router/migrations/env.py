"""Alembic's entry: runs the versions on the connection `upgrade` gives it, within that transaction."""

from alembic import context

import router.migrations.resuming  # noqa: F401 - how they are run where each statement counts at once

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
