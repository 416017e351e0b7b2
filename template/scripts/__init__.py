"""Programs of this project that must run even when the application doesn't."""
