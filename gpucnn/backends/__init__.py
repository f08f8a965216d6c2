"""HOW: one package per device, each with its table ``IMPLS``. Backends do not see each other."""
