"""The tables that every process keeps for itself: jobs, outbox, inbox, audit, idempotency."""
