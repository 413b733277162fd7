"""What operators watch: the alert rules, and the dashboard's expressions."""

from __future__ import annotations

import json

from fixtures import CONFIGURATION

RULES = CONFIGURATION / "prometheus" / "alerts.yaml"
DASHBOARD = CONFIGURATION / "grafana" / "dashboard.json"


def expressions(rate: str = "5m", whole: str = "1h") -> list[str]:
    """
    Give every expression of the dashboard, its variables filled in.

    Args:
        rate: Over which time rates are taken.
        whole: The time that is shown.
    """
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    return [e.replace("$__rate_interval", rate).replace("$__range", whole).replace("$tool", ".*") for e in found]
