"""Where a tenant shall live: what that needs is made ready, so that `move` can take it there."""
