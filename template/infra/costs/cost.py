"""What an environment costs by the month, and by the tenant, from its Terraform plan.

    terraform plan -var-file=environments/prod.tfvars -out=prod.plan
    terraform show -json prod.plan > plan.json
    uv run --project infra python infra/costs/cost.py --plan plan.json --size medium

Prices are those of a file with a date, how much is going on is in sizes.yaml. A resource that it
knows no price for, and that isn't known to be free, is an error that names it.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "costs.md"
BEGIN, END = "<!-- cost.py: begin -->", "<!-- cost.py: end -->"
SIZES = ("small", "medium", "large")
SECONDS = 3600 * 730
Resource = dict[str, Any]
Data = dict[str, Any]

# What costs nothing by itself, at AWS's prices.
FREE = {
    "aws_acm_certificate",
    "aws_acm_certificate_validation",
    "aws_autoscaling_attachment",
    "aws_cloudwatch_log_group",  # What is written there is counted as a whole.
    "aws_db_parameter_group",
    "aws_db_subnet_group",
    "aws_default_security_group",
    "aws_ecr_lifecycle_policy",
    "aws_ecr_repository_policy",
    "aws_eks_access_entry",
    "aws_eks_access_policy_association",
    "aws_eks_addon",
    "aws_elasticache_parameter_group",
    "aws_elasticache_subnet_group",
    "aws_flow_log",  # As above.
    "aws_iam_openid_connect_provider",
    "aws_iam_role",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
    "aws_internet_gateway",
    "aws_kms_alias",
    "aws_launch_template",  # Its disk is counted with the machines.
    "aws_lb_listener",
    "aws_lb_target_group",
    "aws_route",
    "aws_route53_record",
    "aws_route_table",
    "aws_route_table_association",
    "aws_s3_bucket_lifecycle_configuration",
    "aws_s3_bucket_policy",
    "aws_s3_bucket_public_access_block",
    "aws_s3_bucket_server_side_encryption_configuration",
    "aws_s3_bucket_versioning",
    "aws_security_group",
    "aws_sns_topic",
    "aws_sns_topic_subscription",
    "aws_subnet",
    "aws_vpc",
    "aws_vpc_security_group_egress_rule",
    "aws_vpc_security_group_ingress_rule",
}
# What of a resource a price hangs on: all that the recorded plans keep, beside what has a price.
KEPT = {
    "aws_cloudwatch_log_group": (),
    "aws_db_instance": (
        "allocated_storage",
        "instance_class",
        "manage_master_user_password",
        "multi_az",
    ),
    "aws_eks_node_group": ("instance_types",),
    "aws_elasticache_replication_group": ("node_type", "num_cache_clusters"),
    "aws_launch_template": ("block_device_mappings",),
    "aws_lb": ("internal",),
    "aws_subnet": ("availability_zone",),
    "aws_vpc_endpoint": ("vpc_endpoint_type",),
}


class Refused(SystemExit):
    """It can't be worked out; the message says why."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the bill: which part of the whole it belongs to, what it is, and dollars."""

    part: str
    what: str
    dollars: float


def main(arguments: list[str]) -> None:
    wish = wishes().parse_args(arguments)
    if wish.write:
        PAGE.write_text(with_block(PAGE.read_text("utf-8"), page()), "utf-8")
        return
    if wish.page:
        print(page())
        return
    if not wish.plan:
        raise Refused("Which plan? --plan plan.json: what `terraform show -json` said")
    plans = [read_plan(path) for path in wish.plan]
    if wish.trim:
        print(json.dumps(trimmed(plans[0]), indent=1, sort_keys=True))
        return
    prices, sizes = read_prices(wish.prices), read_sizes()
    print(bill_of(lines(plans, prices, sizes, wish.size), sizes["sizes"][wish.size]["tenants"]))


def wishes() -> argparse.ArgumentParser:
    first, _, more = (__doc__ or "").partition("\n")
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="cost.py", description=first, epilog=more, formatter_class=shape
    )
    parser.add_argument("--plan", type=Path, action="append", default=[], help="may be repeated")
    parser.add_argument("--size", choices=SIZES, default="medium", help="default: medium")
    parser.add_argument(
        "--prices", type=Path, default=HERE / "prices-us-east-1.yaml", help="another price file"
    )
    parser.add_argument("--trim", action="store_true", help="only what plans/ keeps of the plan")
    parser.add_argument("--page", action="store_true", help="the tables of docs/costs.md")
    parser.add_argument("--write", action="store_true", help="put them into docs/costs.md")
    return parser


# --- What is read --------------------------------------------------------------------------------


def read_plan(path: Path) -> Data:
    try:
        plan: Data = json.loads(path.read_text("utf-8"))
        plan["planned_values"]["root_module"]
    except FileNotFoundError:
        raise Refused(f"{path} isn't there: terraform show -json PLAN > {path}") from None
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):
        raise Refused(f"{path} isn't a plan: terraform show -json PLAN > {path}") from None
    return plan


def read_prices(path: Path) -> Data:
    if not path.exists():
        raise Refused(f"{path} isn't there: copy a price file and put your region's prices in")
    prices: Data = yaml.safe_load(path.read_text("utf-8"))
    return prices


def read_sizes() -> Data:
    sizes: Data = yaml.safe_load((HERE / "sizes.yaml").read_text("utf-8"))
    return sizes


def resources(module: Data) -> Iterable[Resource]:
    """What a plan would have, inner modules included, without what it only looks up."""
    yield from (one for one in module.get("resources", []) if one.get("mode") != "data")
    for child in module.get("child_modules", []):
        yield from resources(child)


def of_plan(plan: Data) -> list[Resource]:
    return list(resources(plan["planned_values"]["root_module"]))


def trimmed(plan: Data) -> Data:
    """A plan with nothing but what prices hang on."""
    kept = [
        {
            "address": one["address"],
            "type": one["type"],
            "values": {name: one.get("values", {}).get(name) for name in KEPT.get(one["type"], ())},
        }
        for one in of_plan(plan)
        if one["type"] in KEPT or one["type"] in PRICED
    ]
    kept.sort(key=lambda one: one["address"])
    region = plan.get("variables", {}).get("region", {}).get("value")
    return {
        "planned_values": {"root_module": {"resources": kept}},
        "variables": {"region": {"value": region}},
    }


# --- What it costs -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bill:
    """Works out the lines of all plans together, at one size."""

    plans: list[Resource]
    prices: Data
    sizes: Data
    size: str

    @property
    def tenants(self) -> int:
        found: int = self.sizes["sizes"][self.size]["tenants"]
        return found

    @property
    def zones(self) -> int:
        found = {
            one["values"]["availability_zone"] for one in self.plans if one["type"] == "aws_subnet"
        }
        return len(found)

    def each(self, kind: str) -> float:
        """What every tenant brings along, all together."""
        return float(self.sizes["tenant"][kind]) * self.tenants

    def hours(self, group: str, name: str) -> float:
        """A month of something that is paid by the hour."""
        try:
            return float(self.prices[group][name]) * float(self.prices["hours"])
        except KeyError:
            raise Refused(
                f"{name} has no price in {group}: of prices-{self.prices['region']}.yaml"
            ) from None

    def gib(self, name: str, amount: float) -> float:
        return float(self.prices["by_the_gib"][name]) * amount

    def month(self, name: str) -> float:
        return float(self.prices["by_the_month"][name])

    def through_nat(self) -> float:
        out = self.each("out_gib") * self.sizes["through_nat_of_out"]
        return float(self.sizes["nobody"]["through_nat_gib"]) + out

    def logs(self) -> float:
        return float(self.sizes["nobody"]["log_gib"]) + self.each("log_gib")


Price = Callable[[Bill, Resource], list[Line]]


def cluster(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Kubernetes", "control plane", bill.hours("by_the_hour", "cluster"))]


def machines(bill: Bill, one: Resource) -> list[Line]:
    kind = one["values"]["instance_types"][0]
    number = bill.sizes["sizes"][bill.size]["machines"]
    (template,) = [each for each in bill.plans if each["type"] == "aws_launch_template"]
    disk = template["values"]["block_device_mappings"][0]["ebs"][0]["volume_size"]
    return [
        Line("Machines", f"{number} {kind}", number * bill.hours("machines", kind)),
        Line("Machines", f"{number} disks of {disk} GiB", number * bill.gib("disk", disk)),
    ]


def database(bill: Bill, one: Resource) -> list[Line]:
    values = one["values"]
    times, where = (2, "two zones") if values["multi_az"] else (1, "one zone")
    kind, disk = values["instance_class"], values["allocated_storage"]
    data = bill.each("database_gib")
    disk = max(disk, data * 1.2)  # It grows by itself.
    more = max(0.0, data * bill.sizes["backups"] - disk)
    hours = times * bill.hours("databases", kind)
    secret = [Line("Keys and secrets", "the administrator's password", bill.month("secret"))]
    return [
        Line("Database", f"{kind} in {where}", hours),
        Line("Database", f"{disk:.0f} GiB in {where}", times * bill.gib("database_disk", disk)),
        Line("Database", f"{more:.0f} GiB of backups", bill.gib("database_backup", more)),
        *(secret if values["manage_master_user_password"] else []),
    ]


def cache(bill: Bill, one: Resource) -> list[Line]:
    kind, number = one["values"]["node_type"], one["values"]["num_cache_clusters"]
    return [Line("Valkey", f"{number} {kind}", number * bill.hours("caches", kind))]


def nat_gateway(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Network", "NAT gateway", bill.hours("by_the_hour", "nat_gateway"))]


def address(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Network", "public address", bill.hours("by_the_hour", "public_address"))]


def endpoint(bill: Bill, one: Resource) -> list[Line]:
    if one["values"]["vpc_endpoint_type"] == "Gateway":
        return []
    hours = bill.zones * bill.hours("by_the_hour", "endpoint")
    return [Line("Network", f"endpoint in {bill.zones} zones", hours)]


def load_balancer(bill: Bill, one: Resource) -> list[Line]:
    """Its hours, its units by bytes or by connections, and an address in each zone."""
    requests = bill.each("requests")
    by_bytes = bill.each("out_gib") * 1.0737 / 730
    by_connections = requests / SECONDS / 25
    units = max(by_bytes, by_connections)
    addresses = 0 if one["values"]["internal"] else bill.zones
    return [
        Line("Way in", "load balancer", bill.hours("by_the_hour", "load_balancer")),
        Line("Way in", "what it carries", units * bill.hours("by_the_hour", "load_balancer_unit")),
        Line("Way in", "addresses", addresses * bill.hours("by_the_hour", "public_address")),
    ]


def key(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Keys and secrets", "key", bill.month("key"))]


def secret(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Keys and secrets", "secret", bill.month("secret"))]


def alarm(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Logs and alarms", "alarm", bill.month("alarm"))]


def zone(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Account", "DNS zone", bill.month("zone"))]


def images(bill: Bill, _one: Resource) -> list[Line]:
    return [Line("Account", "images", bill.gib("images", bill.sizes["images_gib"]))]


def bucket(bill: Bill, one: Resource) -> list[Line]:
    if "entrance" not in one["address"]:
        return []  # States are some kilobytes.
    kept = bill.each("requests") * 12 * bill.sizes["entrance_log_bytes"] / 2**30
    return [Line("Logs and alarms", "requests, kept", bill.gib("object_storage", kept))]


PRICED: dict[str, Price] = {
    "aws_cloudwatch_metric_alarm": alarm,
    "aws_db_instance": database,
    "aws_ecr_repository": images,
    "aws_eip": address,
    "aws_eks_cluster": cluster,
    "aws_eks_node_group": machines,
    "aws_elasticache_replication_group": cache,
    "aws_kms_key": key,
    "aws_lb": load_balancer,
    "aws_nat_gateway": nat_gateway,
    "aws_route53_zone": zone,
    "aws_s3_bucket": bucket,
    "aws_secretsmanager_secret": secret,
    "aws_vpc_endpoint": endpoint,
}


def lines(plans: list[Data], prices: Data, sizes: Data, size: str) -> list[Line]:
    """Every line of the bill; those of the same name are one."""
    for plan in plans:
        refuse_another_region(plan, prices)
    found = [one for plan in plans for one in of_plan(plan)]
    unknown = sorted({one["type"] for one in found} - FREE - set(PRICED))
    if unknown:
        raise Refused(
            f"No price is known for {', '.join(unknown)}. Add it to PRICED in costs/cost.py, or to "
            "FREE if it costs nothing by itself."
        )
    bill = Bill(found, prices, sizes, size)
    by_resource = [line for one in found for line in PRICED.get(one["type"], nothing)(bill, one)]
    return added([*by_resource, *by_use(bill)])


def nothing(_bill: Bill, _one: Resource) -> list[Line]:
    return []


def by_use(bill: Bill) -> list[Line]:
    """What is paid by how much is going on, wherever it passes."""
    there = {one["type"] for one in bill.plans}
    out, logs, nat = bill.each("out_gib"), bill.logs(), bill.through_nat()
    kept = logs * bill.sizes["log_months"] * bill.sizes["log_pressed"]
    found = []
    if "aws_cloudwatch_log_group" in there:
        found.append(Line("Logs and alarms", f"{logs:.0f} GiB of logs", bill.gib("log", logs)))
        found.append(Line("Logs and alarms", f"{kept:.0f} GiB kept", bill.gib("log_kept", kept)))
    if "aws_nat_gateway" in there:
        found.append(Line("Network", f"{nat:.0f} GiB through NAT", bill.gib("through_nat", nat)))
    if "aws_lb" in there:
        found.append(Line("Way in", f"{out:.0f} GiB out", bill.gib("out", out)))
    return found


def refuse_another_region(plan: Data, prices: Data) -> None:
    region = plan.get("variables", {}).get("region", {}).get("value")
    if region and region != prices["region"]:
        raise Refused(
            f"The plan is for {region}, and the prices are of {prices['region']}: "
            "give --prices, or plan with -var=region="
        )


def added(found: list[Line]) -> list[Line]:
    together: dict[tuple[str, str], list[float]] = {}
    for line in found:
        together.setdefault((line.part, line.what), []).append(line.dollars)
    return [
        Line(part, f"{len(dollars)} of: {what}" if len(dollars) > 1 else what, sum(dollars))
        for (part, what), dollars in together.items()
    ]


def parts(found: list[Line]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for line in found:
        totals[line.part] = totals.get(line.part, 0.0) + line.dollars
    return dict(sorted(totals.items()))


def total(found: list[Line]) -> float:
    return sum(line.dollars for line in found)


def prototype(prices: Data, sizes: Data, size: str) -> list[Line]:
    """What the prototype costs for as many tenants; nothing where it has no such size."""
    wanted = sizes["prototype"].get(size)
    if wanted is None:
        return []
    bill = Bill([], prices, sizes, size)
    disk = wanted["disk_gib"]
    return [
        Line("Machine", wanted["machine"], bill.hours("machines", wanted["machine"])),
        Line("Machine", f"disk of {disk} GiB", bill.gib("disk", disk)),
        Line("Machine", "snapshots", bill.gib("disk_snapshot", disk)),
        Line("Machine", "address", bill.hours("by_the_hour", "public_address")),
        Line("Machine", "DNS zone", bill.month("zone")),
        Line("Machine", "GiB out", bill.gib("out", bill.each("out_gib"))),
    ]


# --- What is shown -------------------------------------------------------------------------------


def bill_of(found: list[Line], tenants: int) -> str:
    rows = [(line.part, line.what, f"{line.dollars:,.2f}") for line in sorted(found, key=by_part)]
    rows.append(("**Together**", "", f"**{total(found):,.2f}**"))
    rows.append((f"for each of {tenants:,} tenants", "", f"{total(found) / tenants:,.2f}"))
    return table(("part", "what", "dollars a month"), rows)


def by_part(line: Line) -> tuple[str, float]:
    return line.part, -line.dollars


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; the columns of numbers are on the right."""
    under = ("---", *("--:" if is_number(rows, at) else "---" for at in range(1, len(head))))
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, under, *rows))


def is_number(rows: list[tuple[str, ...]], at: int) -> bool:
    return all(row[at].strip("*").replace(",", "").replace(".", "").isdigit() for row in rows[:1])


def page() -> str:
    """The tables of docs/costs.md, from the recorded plans."""
    prices, sizes = read_prices(HERE / "prices-us-east-1.yaml"), read_sizes()
    account = read_plan(HERE / "plans" / "account.json")
    bills = {
        size: lines([read_plan(HERE / "plans" / f"{size}.json"), account], prices, sizes, size)
        for size in SIZES
    }
    tenants = {size: sizes["sizes"][size]["tenants"] for size in SIZES}
    before = {size: prototype(prices, sizes, size) for size in SIZES}
    names = sorted({part for found in bills.values() for part in parts(found)})
    rows = [
        (name, *(f"{parts(bills[size]).get(name, 0):,.0f}" for size in SIZES)) for name in names
    ]
    rows.append(("**Together**", *(f"**{total(bills[size]):,.0f}**" for size in SIZES)))
    rows.append(("for each tenant", *(f"{total(bills[s]) / tenants[s]:,.2f}" for s in SIZES)))
    rows.append(("The prototype", *(dollars(total(before[s]), 0) for s in SIZES)))
    rows.append(("for each tenant", *(dollars(total(before[s]) / tenants[s], 2) for s in SIZES)))
    head = ("dollars a month", *(f"{size}: {tenants[size]:,} tenants" for size in SIZES))
    said = f"Prices of {prices['region']}, {prices['date']}, in {prices['currency']}."
    details = [
        f"### {size.capitalize()}\n\n{bill_of(bills[size], tenants[size])}" for size in SIZES
    ]
    return "\n\n".join([said, table(head, rows), *details])


def dollars(amount: float, digits: int) -> str:
    return f"{amount:,.{digits}f}" if amount else "-"


def with_block(text: str, block: str) -> str:
    """The page with these tables between its two marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise Refused(f"{PAGE.name} has lost its marks: {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"


if __name__ == "__main__":
    main(sys.argv[1:])
