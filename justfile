# `just` lists the recipes; `just ci` is what CI runs.

default:
    @just --list

# What CI runs.
ci:
    bash .ci/run

# Everything, also what needs third parties' tools.
test-all *args:
    scripts/test-all {{ args }}

# Tests only.
test *args:
    cargo nextest run {{ args }}

# Format and clippy's own fixes.
fix:
    cargo fmt
    cargo clippy --fix --allow-dirty --all-targets

# Write real output into README.md and docs/.
update-docs:
    scripts/check-readme --update

# The whole beside its floor and peers: `just bench --quick one`.
bench *args:
    scripts/bench {{ args }}
