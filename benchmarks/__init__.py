"""Speed, as ratios to a bare Starlette route; run with `make bench`."""
