"""No metric of the base pack is without plain code that it is compared with on generated histories."""

from tests.integration.figures import test_adoption as adoption
from tests.integration.figures import test_contacts_and_journeys as contacts
from tests.integration.figures import test_currencies as currencies
from tests.integration.figures import test_deals as deals
from tests.integration.figures import test_economics as economics
from tests.integration.figures import test_figures_match_the_oracle as oracle
from tests.integration.figures import test_lifecycles as lifecycles
from tests.integration.figures import test_revenue_histories as revenue

from common.catalogue import Catalogue

COMPARED = (adoption, contacts, currencies, deals, economics, lifecycles, revenue)


def test_every_metric_is_compared_with_plain_code(base_pack: Catalogue) -> None:
    compared = {name for module in COMPARED for name in module.METRICS} | {*oracle.of_measures(base_pack)}
    assert base_pack.metrics.keys() - compared == set()
