"""The independent checker: what must never break, recomputed from table names alone.

Nothing here imports a service, a queryset or a model, so a fault in one of them cannot hide itself.
"""
