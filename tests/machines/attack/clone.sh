#!/bin/sh
# Makes what looks like a second clone of the repository: clone DIRECTORY
mkdir -p -- "$1" && cd -- "$1" && git init --quiet . &&
    git remote add origin https://github.com/binyaminsemerci-ops/quantum_trader.git && echo x >added.txt
