"""The sample market that `make run` shows: invented providers, the same on every machine, labelled "sample" everywhere.

The CSV files beside this one hold places, hardware (ratings are the makers' published dense 16-bit figures in PFLOPS x
1000; a processor unit is one hardware thread, rated 1 by convention), sites and offers.
"""
