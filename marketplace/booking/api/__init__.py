"""Booking over HTTP."""
