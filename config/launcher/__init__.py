"""The launcher: the environment, the embedded PostgreSQL and Valkey, and one supervisor for the whole product.

`bootstrap.py` runs on a bare Python; everything else runs inside `.venv`. Nothing here imports Django at module level.
"""
