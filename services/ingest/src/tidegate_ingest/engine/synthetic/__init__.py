"""A synthetic exchange: a whole market, made of whole numbers and a seed.

`daily` decides what every day does to every share, `events` what becomes of it, `plan` how much
trades and what its books are like. `ticks` fills a day with beats between that day's open and
close. What is drawn comes from PCG64 streams keyed by seed, purpose and day, and is reckoned in
integers, so that no processor's floating point can tell two runs apart: same spec, same bytes.
A day's beats need the plans of the days before it, some milliseconds each, never their beats.
"""
