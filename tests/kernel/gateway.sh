#!/bin/sh
# The unit's program.
. /work/environment.sh
exec larkline --config /work/larkline.toml run
