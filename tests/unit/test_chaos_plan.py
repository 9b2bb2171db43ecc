"""A chaos run's plan: the same for the same seed, and fair to all processes and moments."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product

from reservation_cli.domain.chaos import MOMENTS, VICTIMS
from reservation_cli.domain.chaos_plan import hit, strikes, victims, warm_ups
from support.chaos import PLAN

HUNDRED = replace(PLAN, kills=100)


def test_a_seed_repeats_the_plan_and_another_seed_does_not() -> None:
    assert strikes(HUNDRED) == strikes(HUNDRED)
    assert list(warm_ups(HUNDRED)) == list(warm_ups(HUNDRED))
    assert strikes(replace(HUNDRED, seed=2)) != strikes(HUNDRED)


def test_a_longer_run_begins_as_a_shorter_one() -> None:
    assert strikes(HUNDRED)[:7] == strikes(replace(HUNDRED, kills=7))


def test_each_process_is_killed_at_each_moment_equally_often() -> None:
    pairs = Counter((strike.victim, strike.moment) for strike in strikes(HUNDRED))
    assert pairs == dict.fromkeys(product(VICTIMS, MOMENTS), 4)


def test_as_many_kills_as_processes_are_one_of_each_at_each_moment() -> None:
    for first in range(0, 100, 5):
        five = strikes(HUNDRED)[first : first + 5]
        assert {strike.victim for strike in five} == set(VICTIMS)
        assert {strike.moment for strike in five} == set(MOMENTS)


def test_what_was_chosen_is_all_that_is_killed() -> None:
    plan = replace(HUNDRED, victims=("host", "wrangler"), moments=("at-due",))
    assert {(strike.victim, strike.moment) for strike in strikes(plan)} == {("host", "at-due"), ("wrangler", "at-due")}


def test_on_one_platform_only_what_it_stands_on_is_killed() -> None:
    plan = replace(HUNDRED, platforms=("aws",))
    assert victims(plan) == ("supervisor", "engine", "host")
    assert hit(plan, "supervisor") == ("aws",)
    assert {ask.platform for strike in strikes(plan) for ask in (*strike.asks, *strike.probes)} == {"aws"}
    assert victims(replace(plan, victims=("workerd",))) == ()


def test_each_kill_has_reservations_and_a_probe_on_all_platforms_that_it_hits() -> None:
    for strike in strikes(HUNDRED):
        platforms = hit(HUNDRED, strike.victim)
        assert strike.platform in platforms
        assert [probe.platform for probe in strike.probes] == list(platforms)
        for platform in platforms:
            group = [ask for ask in strike.asks if ask.platform == platform]
            assert {ask.action for ask in group} == {None, "confirm", "cancel"}
            seats = Counter(ask.seat for ask in group if ask.rivals)
            assert max(seats.values()) == 2, "two want one seat"
            assert "HOT" in seats, "and each group wants the seat that all groups want"
            assert all(ask.after < 1 for ask in group)


def test_ids_name_one_reservation_each_and_no_seat_is_shared_but_by_rivals() -> None:
    asks = [ask for strike in strikes(HUNDRED) for ask in (*strike.asks, *strike.probes)] + [
        ask for asks in warm_ups(HUNDRED) for ask in asks
    ]
    assert len({ask.reservation_id for ask in asks}) == len(asks)
    alone = [(ask.platform, ask.seat) for ask in asks if not ask.rivals]
    assert len(set(alone)) == len(alone)
    assert not {(ask.platform, ask.seat) for ask in asks if ask.rivals} & set(alone)
