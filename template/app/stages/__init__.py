"""What the stages above the first one add, a package each: see `app/stage.py`."""
