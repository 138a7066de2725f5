"""lastmile-sim: a simulated street, its people, its ledger, and the demo."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from firmware_sim.errors import ScenarioError, SimError
from firmware_sim.history import history_csv
from firmware_sim.plan import new_plan, read_plan
from firmware_sim.plan_files import Uplink, write_everything
from firmware_sim.ports import free_ports
from firmware_sim.street import find_recordings


def main(arguments: list[str] | None = None) -> int:
    """Exit codes: 0 done; 1 it went wrong or the comparison found something; 2 usage; 78 a file is bad."""
    given = _parser().parse_args(arguments)
    try:
        code: int = given.act(given)
        return code
    except SimError as error:
        print(f"lastmile-sim: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lastmile-sim", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_plan(commands)
    _add_run(commands)
    _add_demo(commands)
    _add_benchmark(commands)
    _add_node(commands)
    return parser


def _add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    plan = commands.add_parser("plan", help="write all files a run needs")
    plan.add_argument("--scenario", default="street", help="name or file (default: street)")
    plan.add_argument("--seed", type=int, default=1)
    plan.add_argument("--out", type=Path, required=True)
    plan.add_argument("--recordings", help="folder of recordings (default: LASTMILE_DATA)")
    plan.add_argument("--uplink-host", default="127.0.0.1")
    plan.add_argument("--uplink-port", type=int, default=8883, help="the cloud's broker")
    plan.add_argument("--cloud", default="http://127.0.0.1:8080", help="for enrolment")
    plan.set_defaults(act=_plan)
    history = commands.add_parser("history", help="{gateway}.csv for lastmile-edge import")
    history.add_argument("--plan", type=Path, required=True)
    history.add_argument("--days", type=float, default=7.0)
    history.add_argument("--period-s", type=float, default=60.0)
    history.add_argument("--gateway", help="only this one")
    history.set_defaults(act=_history)


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser("run", help="devices, hazards, faults, people; writes the ledger")
    run.add_argument("--plan", type=Path, required=True)
    run.add_argument("--api", help="the cloud's address; without it nobody answers tasks")
    run.add_argument("--token", help="not needed: people sign in themselves")
    run.add_argument(
        "--hold", action="store_true", help="begin when a file `go` appears in the plan's folder"
    )
    run.set_defaults(act=_run)
    verify = commands.add_parser("verify", help="ledger against store: lost, duplicated, wrong")
    verify.add_argument("--plan", type=Path, required=True)
    verify.add_argument("--api", required=True)
    verify.add_argument("--token", default=os.environ.get("LASTMILE_TOKEN", ""))
    verify.add_argument("--wait-s", type=float, default=60.0, help="how long the stores may take to catch up")
    verify.add_argument("--json", action="store_true")
    verify.set_defaults(act=_verify)


def _add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    demo = commands.add_parser("demo", help="the whole circle on one machine")
    seconds = os.environ.get("DEMO_SECONDS")
    demo.add_argument("--seconds", type=float, default=float(seconds) if seconds else None)
    demo.add_argument("--state", type=Path, default=Path("demo-state"))
    demo.add_argument("--scenario", default="street")
    demo.add_argument("--seed", type=int, default=1)
    demo.add_argument("--recordings", help="folder of recordings (default: LASTMILE_DATA)")
    demo.add_argument("--http-port", type=int, default=0, help="of the console (default: a free one)")
    demo.set_defaults(act=_demo)


def _add_benchmark(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    benchmark = commands.add_parser("benchmark", help="one run of the hazard benchmark as CSV and truth.json")
    benchmark.add_argument("--hazard", required=True, help="smouldering_fire, gas_leak, ...")
    benchmark.add_argument("--seed", type=int, default=1)
    benchmark.add_argument("--out", type=Path, required=True)
    benchmark.set_defaults(act=_benchmark)


def _add_node(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    node = commands.add_parser("node", help="one device as a microcontroller on a serial line, until ended")
    node.add_argument("--plan", type=Path, required=True)
    node.add_argument("--device", required=True, help="name in the plan, for example boiler")
    node.add_argument("--port", help="a real serial port; without it a pseudo terminal is made and named")
    node.add_argument("--node", type=int, default=1, choices=range(256), metavar="0-255")
    node.add_argument("--copies", type=int, default=1, help="how often each frame is sent")
    node.add_argument("--period-s", type=float, default=1.0)
    node.add_argument("--describe-s", type=float, default=60.0, help="how often it describes its channels")
    node.set_defaults(act=_node)


def _plan(given: argparse.Namespace) -> int:
    recordings = find_recordings(given.recordings, os.environ.get("LASTMILE_DATA"))
    plan = new_plan(given.scenario, given.seed, given.out, recordings, time.time_ns(), free_ports())
    write_everything(plan, Uplink(given.uplink_host, given.uplink_port, given.cloud))
    return 0


def _history(given: argparse.Namespace) -> int:
    plan = read_plan(given.plan)
    known = [gateway.id for gateway in plan.scenario.gateways]
    if given.gateway and given.gateway not in known:
        raise ScenarioError(f"no gateway {given.gateway!r} in this plan; it has {', '.join(known)}")
    for gateway in [given.gateway] if given.gateway else known:
        text = history_csv(plan, gateway, given.days, given.period_s)
        (given.plan / f"{gateway}.csv").write_text(text)
    return 0


def _run(given: argparse.Namespace) -> int:
    from firmware_sim.live import run_live

    run_live(read_plan(given.plan), given.api, hold=given.hold)
    return 0


def _verify(given: argparse.Namespace) -> int:
    from firmware_sim.cloud_api import CloudApi
    from firmware_sim.verification import compare, wait_until_caught_up

    plan, api = read_plan(given.plan), CloudApi(given.api, given.token)
    caught_up = wait_until_caught_up(plan, api, given.wait_s, time.monotonic, time.sleep)
    result = compare(plan, api)
    if given.json:
        print(json.dumps(result.content() | {"caught_up": caught_up}, ensure_ascii=False))
    else:
        print(
            f"told {result.told}, sure {result.sure}, stored {result.stored}: "
            f"lost {result.lost}, duplicated {result.duplicated}, wrong {result.wrong}"
        )
        for example in result.examples:
            print(f"  {example}")
    return 0 if result.is_good else 1


def _benchmark(given: argparse.Namespace) -> int:
    from firmware_sim.benchmark.export import write_run
    from firmware_sim.benchmark.run import make_run

    write_run(make_run(given.hazard, given.seed), given.out)
    return 0


def _node(given: argparse.Namespace) -> int:
    from firmware_sim.node_run import run_node

    run_node(
        read_plan(given.plan),
        given.device,
        port=given.port,
        node=given.node,
        copies=given.copies,
        period_s=given.period_s,
        describe_s=given.describe_s,
    )
    return 0


def _demo(given: argparse.Namespace) -> int:
    from firmware_sim.demo.show import run_demo

    return run_demo(given)


if __name__ == "__main__":
    sys.exit(main())
