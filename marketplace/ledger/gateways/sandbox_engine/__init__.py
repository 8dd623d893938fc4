"""A payment processor that behaves as Stripe does, with its state in PostgreSQL; no money moves.

`requests` answers a key once · `checkout`, `payments`, `refunds`, `connect`, `disputes`, `payouts` do what is asked ·
`balance` counts what that moves · `events` tells it, `deliveries` sends it · `due` lets time pass · `shapes` shows a
row as Stripe would, `lookups` finds it. Everything takes the time as an argument. `requests`, `deliveries`, `due` and
what the pages call (`pay`, `authenticate`, `tell_all`) open transactions of their own, the rest runs inside one.
"""
