"""What green hours promise, measured on real hours of the grid."""
