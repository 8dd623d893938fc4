"""The sandbox engine behind an HTTP door in the shape of Stripe's, for Stripe's own library to talk to unchanged.

`forms` reads its bodies, `routes` says what each address does, `lists` pages, `door` is the server with its faults. It
is as strict as Stripe where being lax would hide a fault of the adapter: parameters that it does not know are refused,
and what is not asked to be expanded is an id.
"""
