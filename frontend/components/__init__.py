"""Pure renderers: figures in, SVG or structured context out. No model, no request, no clock."""
