"""`flask stage`: where this project is, the way to the next stage, and what drifted.

Only the standard library is used and nothing of the application is imported, so it works in a
project that a conflict keeps from starting: `python3 -m scripts.stage`.
"""
