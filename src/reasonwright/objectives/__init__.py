"""The mathematics of the three stages as pure tensor functions: no models, no settings, no I/O."""
