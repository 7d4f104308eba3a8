"""Hooks: functions that see a tensor's gradient once it is known, and may put another in its place."""

import itertools


class HookHandle:
    """What `register_hook` returns. Used in a `with` block it takes the hook off at its end."""

    _keys = itertools.count()

    def __init__(self, hooks, hook):
        self.hooks, self.key = hooks, next(self._keys)
        hooks[self.key] = hook

    def remove(self):
        """Take the hook off."""
        self.hooks.pop(self.key, None)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()
