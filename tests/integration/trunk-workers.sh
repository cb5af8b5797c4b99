#!/bin/bash
# The trunks of trunk.sh with two workers, and what the end of one leaves.
export WORKERS=2
. "$(dirname "$0")/trunk.sh"
