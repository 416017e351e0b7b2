"""What Terraform needs to make one tenant's silo or account: variables of infra/terraform/tenant.

The pipeline applies them together with a file of the environment's own, which says in which
network and with which machines.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from uuid import UUID

from app.stages.hardened.silos.errors import Refused
from app.stages.hardened.silos.names import WITH_SILOS

Placement = Literal["silo", "account"]


def variables_of(
    tenant_id: UUID,
    slug: str,
    placement: Placement,
    region: str,
    services: Sequence[str] = WITH_SILOS,
    *,
    account_id: str = "",
    external_id: str = "",
) -> dict[str, object]:
    """The variables that are one tenant's; `region` is what the catalog says of it.

    Raises `Refused`, so that nobody waits for a pipeline to learn what is missing.
    """
    if unknown := set(services) - set(WITH_SILOS):
        raise Refused(f"{', '.join(sorted(unknown))} has no silos: {', '.join(WITH_SILOS)} have.")
    if not services:
        raise Refused(f"Name the services: some of {', '.join(WITH_SILOS)}.")
    if not region:
        raise Refused(f"The catalog doesn't say in which region {slug} lives. Set that first.")
    if placement == "account" and not (account_id and external_id):
        raise Refused(f"{slug} needs the id of its account and an external id to be placed there.")
    return {
        "tenant_id": str(tenant_id),
        "tenant_slug": slug,
        "placement": placement,
        "services": sorted(services),
        "region": region,
        "account_id": account_id,
        "external_id": external_id,
    }


def write(folder: Path, variables: dict[str, object]) -> Path:
    """Write them where Terraform finds them: one file for each tenant, named by its id.

    The external id is no secret by AWS' rules; the file has nothing else that would be one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{variables['tenant_id']}.tfvars.json"
    part = file.with_suffix(".part")
    part.write_text(json.dumps(variables, indent=2) + "\n", "utf-8")
    part.replace(file)
    return file
