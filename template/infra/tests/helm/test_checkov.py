"""checkov on every manifest of every environment, and on the Dockerfile, in one call."""

import shutil

import yaml

from tests.helm.chart import ENVIRONMENTS
from tests.helm.test_rollout import with_rollout
from tests.scanning import compare, findings
from tests.tools import PROJECT

# Planted, so that a scan that reads nothing is noticed.
OPEN = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "planted", "namespace": "app"},
    "spec": {
        "containers": [{"name": "a", "image": "a:1", "securityContext": {"privileged": True}}]
    },
}


def test_checkov_finds_nothing_that_has_no_reason(tmp_path):
    shutil.copy(PROJECT / "Dockerfile", tmp_path)
    for environment in ENVIRONMENTS:
        text = yaml.safe_dump_all([*with_rollout(environment), OPEN])
        (tmp_path / f"{environment}.yaml").write_text(text)

    found = findings(tmp_path, "kubernetes", "dockerfile")

    planted = [one for one in found if one["resource"] == "Pod.app.planted"]
    assert [one["check_id"] for one in planted].count("CKV_K8S_16") == len(ENVIRONMENTS)
    compare("helm", [one for one in found if one not in planted])
