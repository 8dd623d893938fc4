"""The market's brain: a pure function from a Snapshot to a Plan, and the ranking search and quotes share.

Standard library and numpy only: no Django, no clock, no randomness. Equal snapshots give equal bytes.
"""
