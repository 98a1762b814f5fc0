#!/bin/sh
# The unit's program.
. /guest/environment.sh
exec larkline --config /guest/larkline.toml run
