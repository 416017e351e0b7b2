"""Terraform's own tests, and what it says to a person who forgets something."""

from tests.terraform.working_copy import PROJECT, variables


def test_terraforms_own_tests(copy):
    said = copy.do("test")

    assert "0 failed" in said
    assert "0 passed" not in said


def test_a_variable_that_is_missing_is_named(copy):
    given = [option for option in variables("prod") if not option.startswith("-var=name=")]

    done = copy.try_to("plan", *given)

    assert done.returncode == 1
    assert 'The root module input variable "name" is not set' in done.stderr


def test_a_wrong_network_is_explained(copy):
    done = copy.try_to("plan", *variables("prod"), "-var=vpc_cidr=10.40.7.0/16")

    assert done.returncode == 1
    assert "vpc_cidr must begin at its first address" in done.stderr


def test_a_domain_outside_the_zone_is_explained(copy):
    done = copy.try_to("plan", *variables("prod", zone="example.org"))

    assert done.returncode == 1
    assert "domain must lie in the zone" in done.stderr
    assert PROJECT["domain"] in done.stderr
