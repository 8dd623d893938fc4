"""The checker's look at preemptions: plain loops, sharing no arithmetic with those who decide them."""

from collections import Counter

from scheduler.core.types import HOUR_S, Plan, Snapshot


def freed_hours(snapshot: Snapshot, plan: Plan) -> Counter[tuple[str, int]]:
    """{(twin, hour): units that are used less because victims end}, as negative numbers."""
    victims = {each.id: each for each in snapshot.victims}
    used: Counter[tuple[str, int]] = Counter()
    for made in plan.preempting:
        for victim in filter(None, map(victims.get, made.victims)):
            for hour in range(snapshot.hours):
                begin = snapshot.first_hour_s + HOUR_S * hour
                if min(victim.end_s, begin + HOUR_S) > max(victim.start_s, begin):
                    used[victim.twin, hour] -= victim.units
    return used


def room_faults(snapshot: Snapshot, plan: Plan) -> list[str]:
    """What is wrong with who ends, in words."""
    victims = {each.id: each for each in snapshot.victims}
    found = []
    ended = Counter(name for made in plan.preempting for name in made.victims)
    found += [f"{name} ends {count} times" for name, count in ended.items() if count > 1]
    for made in plan.preempting:
        placement, loss = made.placement, 0
        found += [] if made.victims else [f"{placement.ask}: nobody ends for it"]
        for name in made.victims:
            victim = victims.get(name)
            if victim is None or victim.twin != placement.offer:
                found.append(f"{placement.ask}: {name} is not on the machines of {placement.offer}")
                continue
            ran = snapshot.now_s - victim.started_s if victim.started_s is not None else None
            if victim.due or victim.preempted >= 2 or (ran is not None and ran < 600):
                found.append(f"{placement.ask}: {name} is spared")
            if placement.start_s < snapshot.now_s + victim.notice_s:
                found.append(f"{placement.ask}: begins before the notice of {name} is over")
            unsaved = min(ran, snapshot.now_s - victim.saved_s) if ran is not None and victim.saved_s else ran
            loss += victim.units * max(0, unsaved or 0) * victim.price // 3600
        found += [] if loss == made.lost else [f"{placement.ask}: {made.lost} mm lost, not {loss}"]
    return found
