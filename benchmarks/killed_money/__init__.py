"""Money under `kill -9`: the processes that move it are killed again and again, and nothing may be lost or doubled.

`stage` is the market and its processor's address, `hands` are the processes that are killed, `journal` is what a buyer
remembers, `outside` is the processor (never killed: it is not ours), `killing` is the schedule, `controls` takes a
safeguard away, and `verdict` says what is off in the end.
"""
