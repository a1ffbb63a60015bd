"""
The effects of an attack on a balancer for its clients.

C{python -m benchmarks.attacks} starts a balancer and measures how long small requests
take through it, on a connection that is kept and on new ones: without an attack, and
beside each of the attacks. Everything is on loopback, takes a bounded time, and is
stopped at the end.

  - C{_balancer.py}: the balancer that is attacked, and an administrator's login.
  - C{_attacks.py}: the list of attacks.
  - C{attacker.py}: the program that attacks; C{_floods.py}, C{_tlsfloods.py}, C{_offers.py},
    C{_pipeline.py} and C{_hosts.py} are what it does.
  - C{latency.py}: the program that measures.
  - C{_table.py}: the result as a table.
"""
