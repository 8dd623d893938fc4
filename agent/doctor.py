"""`joulemart-agent doctor`: every check the agent's work depends on, its result, and the mend where it fails."""

import shutil

from agent.config import Config
from agent.engines.base import Check
from agent.engines.choose import choose_engine, feature_checks
from agent.protocol import KeyRefused, Market, ProtocolError, Refused, Registration, Unreachable
from agent.state import State
from agent.supervisor import registration

_DISK_GB = 2
_SKEW_S = 5


def examine(config: Config) -> list[Check]:
    """Try everything; the marketplace learns of this agent by it, as it would when the agent runs."""
    config.state.mkdir(parents=True, exist_ok=True, mode=0o711)
    engine, checks = choose_engine(config)
    tried = {check.name for check in checks}
    checks += [check for check in feature_checks(config) if check.name not in tried]
    checks.append(_disk(config))
    if engine is not None:
        state, market = State(config.state), Market(url=config.url, key=config.key)
        try:
            checks += _marketplace(config, market, registration(config, state, engine))
        finally:
            market.close()
            state.close()
    return checks


def report(checks: list[Check]) -> str:
    """One line a check, then its mend where it failed."""
    width = max(len(check.name) for check in checks)
    lines = []
    for check in checks:
        word = "ok" if check.ok else "FAILED" if check.needed else "missing"
        lines.append(f"{word:<8}{check.name:<{width}}  {check.result}")
        if not check.ok and check.mend:
            lines.append(f"{'':<8}{'':<{width}}  mend: {check.mend}")
    failed = sum(not check.ok and check.needed for check in checks)
    lines.append(f"{failed} of {len(checks)} checks must be mended" if failed else "This agent can work.")
    return "\n".join(lines)


def _disk(config: Config) -> Check:
    free_gb = shutil.disk_usage(config.state).free / 1e9
    return Check(
        name="disk",
        ok=free_gb >= _DISK_GB,
        result=f"{free_gb:.1f} GB free at {config.state}",
        mend=f"free some space, or move state to a disk with more than {_DISK_GB} GB",
    )


def _marketplace(config: Config, market: Market, body: dict[str, object]) -> list[Check]:
    reach, key = "server reachable", "key accepted"
    try:
        answer = market.register(body)
    except Unreachable as error:
        mend = "check url, and that this machine may open connections to it"
        return [Check(name=reach, ok=False, result=str(error), mend=mend)]
    except (KeyRefused, Refused) as error:
        mend = "make a new agent key on the site's page and set key"
        return [
            Check(name=reach, ok=True, result=config.url),
            Check(name=key, ok=False, result=str(error), mend=mend),
        ]
    except ProtocolError as error:
        return [Check(name=reach, ok=False, result=str(error), mend="check that url is that of a marketplace")]
    return [
        Check(name=reach, ok=True, result=config.url),
        Check(name=key, ok=True, result=f"{config.name} works for {answer.site_name}"),
        _skew(answer),
    ]


def _skew(answer: Registration) -> Check:
    return Check(
        name="clock skew",
        ok=abs(answer.clock_skew_s) <= _SKEW_S,
        result=f"{answer.clock_skew_s:+.1f} s",
        mend="let the machine keep time (systemd-timesyncd, chrony); leases do not depend on it",
        needed=False,
    )
