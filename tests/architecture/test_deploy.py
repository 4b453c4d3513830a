"""The composed installation, checked as far as it can be without an engine for containers."""

import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MODULES = {"ingest": "ingest", "kpi-engine": "kpi_engine", "alerts": "alerts", "api-gateway": "api_gateway"}
PORTS = {"api-gateway": 8080, "ingest": 8081, "kpi-engine": 8082, "alerts": 8083}


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def compose() -> dict[str, Any]:
    return dict(read_yaml(ROOT / "docker-compose.yml"))


def ours() -> dict[str, dict[str, Any]]:
    return {
        name: service for name, service in compose()["services"].items() if service["image"] == "bellwether"
    }


def resolved(value: object) -> str:
    """A value as compose would give it when nothing is set on the machine."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", str(value))


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {name: resolved(value) for name, value in service["environment"].items()}


def settings_names(module: str) -> set[str]:
    """Every variable that a service's settings classes read."""
    classes = [
        found
        for _, found in inspect.getmembers(importlib.import_module(f"{module}.settings"), inspect.isclass)
        if issubclass(found, BaseSettings) and found is not BaseSettings
    ]
    return {
        variable_of(one.model_config.get("env_prefix", ""), name, field)
        for one in classes
        for name, field in one.model_fields.items()
    }


def variable_of(prefix: str, name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return alias if isinstance(alias, str) else f"{prefix}{name}".upper()


@pytest.mark.parametrize("name", MODULES)
def test_every_variable_that_is_set_is_read_by_some_service(name: str) -> None:
    known = set().union(*(settings_names(module) for module in MODULES.values()))
    prefix = {"kpi-engine": "ENGINE_", "api-gateway": "GATEWAY_"}.get(name, f"{name.upper()}_")
    for variable in ours()[name]["environment"]:
        assert variable in known, variable
        if variable.endswith(("_HOST", "_PORT", "_URL")) and variable != "DATABASE_URL":
            assert variable.startswith(prefix), f"{variable} is of another service than {name}"
            assert variable in settings_names(MODULES[name]), variable


def test_everything_about_mail_can_be_set() -> None:
    known = {name for name in settings_names("alerts") if name.startswith("ALERTS_SMTP_")}
    assert known == {name for name in ours()["alerts"]["environment"] if name.startswith("ALERTS_SMTP_")}


def test_what_can_be_set_is_described_with_its_default_and_nothing_else_is() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    told = dict(
        re.findall(r"^\| `(\w+)` \| (.*?) \|", (ROOT / "docs" / "compose.md").read_text(), re.MULTILINE)
    )
    assert {name: default.strip("`") for name, default in told.items()} == {
        name: default or "-" for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text)
    }


def test_the_file_that_secrets_go_into_is_never_committed() -> None:
    assert "docker-compose.override.yml" in (ROOT / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize("name", MODULES)
def test_a_start_command_works_outside_a_container_with_the_composed_settings(name: str) -> None:
    service = ours()[name]
    program = Path(sys.executable).with_name(service["command"][0])
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [program, *service["command"][1:], "--check-config"],
        env=bare | environment_of(service),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", MODULES)
def test_the_health_check_asks_the_port_that_is_set(name: str) -> None:
    service = ours()[name]
    [port] = [
        value
        for variable, value in environment_of(service).items()
        if variable.endswith("_PORT") and "_SMTP_" not in variable
    ]
    assert int(port) == PORTS[name]
    assert f":{port}/readyz" in service["healthcheck"]["test"][-1]


def test_the_services_wait_for_the_installation_to_be_prepared() -> None:
    for name in MODULES:
        assert ours()[name]["depends_on"]["setup"]["condition"] == "service_completed_successfully"
    assert ours()["setup"]["command"][:2] == ["bellwether", "init"]


def test_the_broker_is_of_the_version_that_the_local_stack_runs() -> None:
    version = re.search(r"<kafka\.version>([^<]+)<", (DEPLOY / "kafka" / "pom.xml").read_text())
    assert version is not None
    assert compose()["services"]["kafka"]["image"].endswith(f":{version[1]}")


def test_everything_that_is_mounted_exists_and_every_volume_is_declared() -> None:
    parts = compose()
    for name, service in parts["services"].items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            exists = (ROOT / source).is_dir() if source.startswith("./") else source in parts["volumes"]
            assert exists, f"{name} mounts {source}"


def test_nothing_is_open_to_the_network_by_default() -> None:
    for name, service in compose()["services"].items():
        for port in service.get("ports", []):
            assert resolved(port).startswith("127.0.0.1:"), name


def test_the_image_is_built_from_files_that_exist_and_are_sent_to_the_builder() -> None:
    sent = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    for line in re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source in sent, source


def test_prometheus_asks_every_service_where_it_listens() -> None:
    jobs = read_yaml(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    targets = {target for job in jobs for group in job["static_configs"] for target in group["targets"]}
    assert targets == {f"{name}:{port}" for name, port in PORTS.items()}


def exposed_series() -> set[str]:
    """Names of all series of all services, as Prometheus stores them."""
    names = {"up"}
    for module in MODULES.values():
        found = importlib.import_module(f"{module}.metrics")
        [holder] = [
            one
            for _, one in inspect.getmembers(found, inspect.isclass)
            if one.__module__ == found.__name__ and "registry" in inspect.signature(one).parameters
        ]
        registry = CollectorRegistry()
        holder(registry)  # type: ignore[call-arg]
        for collector in list(registry._collector_to_names):
            assert isinstance(collector, MetricWrapperBase)
            names |= set(registry._collector_to_names[collector])
    return names


def series_in(expression: str) -> set[str]:
    return set(re.findall(r"\bbellwether_\w+", expression))


def test_rules_and_dashboards_use_series_that_the_services_expose() -> None:
    rules = [
        rule for group in read_yaml(DEPLOY / "prometheus" / "rules.yml")["groups"] for rule in group["rules"]
    ]
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "bellwether.json").read_text())
    expressions = [rule["expr"] for rule in rules]
    expressions += [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    used = set().union(*map(series_in, expressions))
    assert used
    assert used - exposed_series() == set()


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    rules = [
        rule for group in read_yaml(DEPLOY / "prometheus" / "rules.yml")["groups"] for rule in group["rules"]
    ]
    assert len({rule["alert"] for rule in rules}) == len(rules) > 0
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert {"summary", "description"} <= set(rule["annotations"])
        assert rule["expr"].count("(") == rule["expr"].count(")")
        pages = re.findall(r"docs/runbooks/[\w-]+\.md", rule["annotations"]["description"])
        assert pages, f"{rule['alert']} leads to no page"
        assert [page for page in pages if not (ROOT / page).is_file()] == []


def test_grafana_finds_its_data_source_and_its_dashboards() -> None:
    provisioning = DEPLOY / "grafana" / "provisioning"
    [source] = read_yaml(provisioning / "datasources" / "prometheus.yml")["datasources"]
    [provider] = read_yaml(provisioning / "dashboards" / "bellwether.yml")["providers"]
    mounts = compose()["services"]["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in mounts
    board = json.loads((DEPLOY / "grafana" / "dashboards" / "bellwether.json").read_text())
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}
    places = [tuple(panel["gridPos"][axis] for axis in "xy") for panel in board["panels"]]
    assert len(set(places)) == len(places)


def test_the_compose_file_is_valid_for_the_client_that_is_here() -> None:
    """Where a client with compose is installed it judges the file; YAML and the tests above judge it everywhere."""
    for client in (["docker", "compose"], ["docker-compose"]):
        try:
            known = subprocess.run([*client, "version"], capture_output=True, check=False).returncode == 0
        except FileNotFoundError:
            continue
        if known:
            subprocess.run(
                [*client, "-f", ROOT / "docker-compose.yml", "config", "--quiet"], check=True, timeout=60
            )
    assert set(compose()) - {"services", "volumes"} == {key for key in compose() if key.startswith("x-")}
