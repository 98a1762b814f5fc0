"""How laws are declared and judged; the laws themselves are in the files `*_laws.py` beside this one."""

import time

from world import World

LOG_LINES = 60

LAWS = []


def law(**settings):
    """A law in a world with these settings."""

    def add(holds):
        LAWS.append((holds, settings))
        return holds

    return add


def verdict(tools, holds, settings):
    """The verdict on one law; the end of the gateway's log is shown if it did not hold. What a law returns is
    why it could not be tried here."""
    start, held, why, world = time.monotonic(), False, "", None
    try:
        # Not by its name: the path of a socket has some hundred characters.
        world = World(tools, str(LAWS.index((holds, settings))), **settings)
        why = holds(world) or ""
        if world.gateway:
            world.stop()
        world.nobody_left()
        held = True
    except Exception as error:  # whatever it was, the law did not hold
        why = f"{type(error).__name__}: {error}"
        if world and world.log.exists():
            log = world.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
            why += "\nthe gateway logged:\n" + "\n".join(log)
    finally:
        if world:
            world.close()
    return {"held": held, "seconds": round(time.monotonic() - start, 3), "why": why}
